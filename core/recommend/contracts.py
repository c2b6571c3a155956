"""What the stages of the pipeline promise each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.requests import RecommendRequest
from core.retrieval.item_neighbours import ItemNeighbours
from core.state.state import State


@dataclass(frozen=True)
class Query:
    """One request with the moment and the state that it is answered from."""

    request: RecommendRequest
    state: State
    item_neighbours: ItemNeighbours
    user: int
    """Index of the user, NOBODY for a new one."""
    now_s: float
    pool: NDArray[np.bool_] | None
    """(n_objects,) members of the requested pool, or None for all objects."""
    preference: NDArray[np.int8] | None = None
    """(n_objects,) how many of the story's tags each object carries, or None without any."""


@dataclass(frozen=True)
class Proposals:
    """What one source proposes: n distinct objects, best first."""

    objects: NDArray[np.int32]
    reasons: tuple[str, ...] = ()
    """(n,) short facts for people, or empty."""


class Source(Protocol):
    """Proposes candidates. Fails open: the others still answer, and the failure is reported."""

    @property
    def name(self) -> str:
        """Unique among the sources of a domain."""
        ...

    def propose(self, query: Query, limit: int) -> Proposals:
        """At most `limit` objects; none when the source knows nothing of this user."""
        ...


class Filter(Protocol):
    """Takes candidates out. Fails closed: when it cannot tell, the request fails."""

    @property
    def name(self) -> str:
        """Said of what it removes."""
        ...

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(n,) which candidates stay."""
        ...


class Reranker(Protocol):
    """A pure slate policy: picks from candidates that are already in order of score."""

    @property
    def name(self) -> str:
        """For reports."""
        ...

    def pick(
        self, query: Query, objects: NDArray[np.int32], scores: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Distinct positions (m <= n,) into the candidates, in the new order."""
        ...


@dataclass(frozen=True)
class Stages:
    """What a domain assembles, in the order of the request."""

    sources: tuple[Source, ...]
    filters: tuple[Filter, ...]
    rerankers: tuple[Reranker, ...]
    source_limit: int = 200
    """Most candidates of one source."""
