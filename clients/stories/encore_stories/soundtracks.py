"""Which track goes with a story: asked of Encore, remembered, and found without it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from cachetools import TTLCache

from encore_client import (
    AsyncEncoreClient,
    EncoreClientError,
    InvalidRequestError,
    RecommendedItem,
    Story,
)
from encore_stories.breaker import CircuitBreaker
from encore_stories.settings import Settings

log = logging.getLogger(__name__)
MOST_SKIPPED = 100
"""Tracks remembered as skipped, of a story and a user."""


class Source(StrEnum):
    """Where a soundtrack comes from."""

    ENCORE = "encore"
    CACHE = "cache"
    """Encore picked it a short time ago, or it cannot be asked now."""
    FALLBACK = "fallback"
    """Encore cannot be asked and nothing is remembered: from the configured list."""


@dataclass(frozen=True)
class Ask:
    """What is asked for; equal asks share an answer."""

    story_id: str
    user_id: str
    tags: tuple[str, ...] = ()
    max_seconds: int | None = None


@dataclass(frozen=True)
class Soundtrack:
    """The pick and its runners-up."""

    source: Source
    items: tuple[RecommendedItem, ...]
    """The pick first; empty only where nothing is left."""
    recommendation_id: str = ""
    """Empty for a fallback."""
    model_version: str = ""


@dataclass(frozen=True)
class _Kept:
    soundtrack: Soundtrack
    at_s: float


Listener = tuple[str, str]
"""Story id and user id."""


class Soundtracks:
    """Finds soundtracks; used in one event loop. Never raises because Encore is down."""

    def __init__(
        self,
        encore: AsyncEncoreClient,
        breaker: CircuitBreaker,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._encore = encore
        self._breaker = breaker
        self._settings = settings
        self._clock = clock
        most, keep_s = settings.cached_soundtracks, settings.stale_s
        self._kept: TTLCache[Ask, _Kept] = TTLCache(most, keep_s, timer=clock)
        self._skipped: TTLCache[Listener, tuple[str, ...]] = TTLCache(most, keep_s, timer=clock)
        self._latest: TTLCache[Listener, Soundtrack] = TTLCache(most, keep_s, timer=clock)
        self._asked: dict[Ask, asyncio.Task[Soundtrack | None]] = {}

    async def find(self, ask: Ask) -> Soundtrack:
        """The soundtrack of a story for a user, without what they skipped there.

        Raises:
            InvalidRequestError: Encore says that the story itself is malformed.
        """
        skipped = self._skipped.get((ask.story_id, ask.user_id), ())
        kept = self._kept.get(ask)
        found = None
        if kept is not None and self._clock() - kept.at_s < self._settings.fresh_s:
            found = _without(kept.soundtrack, skipped, Source.CACHE)
        if found is None:
            found = await self._fetched(ask)
        if found is None and kept is not None:
            found = _without(kept.soundtrack, skipped, Source.CACHE)
        if found is None:
            found = self._fallback(ask, skipped)
        self._latest[ask.story_id, ask.user_id] = found
        return found

    def skip(self, story_id: str, user_id: str, object_id: str) -> None:
        """This user does not want this track with this story: another takes its place."""
        key = (story_id, user_id)
        others = [i for i in self._skipped.get(key, ()) if i != object_id]
        self._skipped[key] = (*others[1 - MOST_SKIPPED :], object_id)

    def recommendation_id(self, story_id: str, user_id: str, object_id: str) -> str:
        """The answer of Encore that led to a track; empty if none is remembered."""
        latest = self._latest.get((story_id, user_id))
        shown = latest is not None and any(i.object_id == object_id for i in latest.items)
        return latest.recommendation_id if latest is not None and shown else ""

    async def _fetched(self, ask: Ask) -> Soundtrack | None:
        """Encore's answer, asked for once however many wait for it; None when there is none."""
        asked = self._asked.get(ask)
        if asked is None:
            asked = asyncio.create_task(self._fetch(ask))
            self._asked[ask] = asked
            asked.add_done_callback(lambda done: self._ended(ask, done))
        # A caller who leaves must not take the answer from the others.
        return await asyncio.shield(asked)

    def _ended(self, ask: Ask, done: asyncio.Task[Soundtrack | None]) -> None:
        self._asked.pop(ask, None)
        if not done.cancelled():
            done.exception()  # seen, also when everybody who asked has left

    async def _fetch(self, ask: Ask) -> Soundtrack | None:
        if not self._breaker.allows():
            return None
        try:
            answer = await self._encore.recommend(
                ask.user_id,
                page_size=1 + self._settings.runners_up,
                exclude_ids=self._skipped.get((ask.story_id, ask.user_id), ()),
                story=Story(ask.story_id, ask.tags, ask.max_seconds),
                include_media=True,
                timeout_s=self._settings.timeout_s,
            )
        except InvalidRequestError:
            self._breaker.succeeded()  # it works, and said so
            raise
        except EncoreClientError as error:
            self._breaker.failed()
            log.warning("no soundtrack from Encore: %s", error)
            return None
        self._breaker.succeeded()
        if not answer.items:
            log.warning("Encore has no track for story %s: %s", ask.story_id, answer.fallbacks)
            return None
        found = Soundtrack(
            Source.ENCORE, answer.items, answer.recommendation_id, answer.model_version
        )
        self._kept[ask] = _Kept(found, self._clock())
        return found

    def _fallback(self, ask: Ask, skipped: tuple[str, ...]) -> Soundtrack:
        """Tracks of the configured list, from a place that the story decides."""
        tracks = [i for i in self._settings.fallback_tracks if i not in skipped]
        if not tracks:
            return Soundtrack(Source.FALLBACK, ())
        digest = hashlib.blake2b(ask.story_id.encode(), digest_size=8).digest()
        start = int.from_bytes(digest) % len(tracks)
        turned = [*tracks[start:], *tracks[:start]][: 1 + self._settings.runners_up]
        return Soundtrack(
            Source.FALLBACK,
            tuple(
                RecommendedItem(object_id, 0.0, rank, ("fallback",), ())
                for rank, object_id in enumerate(turned, start=1)
            ),
        )


def _without(kept: Soundtrack, skipped: tuple[str, ...], source: Source) -> Soundtrack | None:
    """What is left of a soundtrack; None for nothing."""
    left = tuple(item for item in kept.items if item.object_id not in skipped)
    return replace(kept, source=source, items=left) if left else None
