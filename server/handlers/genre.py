"""GenreNeighbor: the optional capability of domains whose objects have a sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from core.errors import FieldViolation, InvalidRequestError
from core.requests import GenreAnswer
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.serving import Serving


@dataclass(frozen=True)
class GenreQuery:
    """What to listen to and which neighbours count."""

    k: int
    same_genre: bool = False
    pool: str = ""
    track_id: str = ""
    """Empty when `audio` is given."""
    audio: bytes = b""


@dataclass(frozen=True)
class GenreHeard:
    """An answer and the version of the domain's model in service."""

    answer: GenreAnswer
    model_version: str


class GenreHandler:
    """Answers GenreNeighbor."""

    def __init__(
        self, serving: Serving, scoring: BoundedExecutor, listening: BoundedExecutor
    ) -> None:
        self._serving = serving
        self._scoring = scoring
        self._listening = listening

    async def neighbours(self, domain: str, query: GenreQuery, deadline: Deadline) -> GenreHeard:
        """Genres and neighbours.

        Raises:
            CapabilityMissingError: the domain has no sound.
            InvalidRequestError: the pool does not exist, or the sound is none.
        """
        engine = self._serving.engine(domain)
        genre = self._serving.genre(domain)
        pool_ids = self._pool_ids(domain, query.pool)

        if query.audio:
            by_audio = partial(genre.by_audio, query.audio, query.k, query.same_genre, pool_ids)
            answer = await self._listening.run("listen", deadline, by_audio)
        else:
            by_track = partial(genre.by_track, query.track_id, query.k, query.same_genre, pool_ids)
            answer = await self._scoring.run("genre", deadline, by_track)
        return GenreHeard(answer, engine.model_version)

    def _pool_ids(self, domain: str, pool: str) -> frozenset[str] | None:
        if not pool:
            return None
        pools = self._serving.capabilities(domain).pools
        if pool not in pools:
            known = ", ".join(sorted(pools)) or "none"
            raise InvalidRequestError(
                [FieldViolation("pool", f"unknown pool {pool!r}: choose one of {known}")]
            )
        return pools[pool]
