"""What the stages of the pipeline promise each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.requests import RecommendRequest
from core.retrieval.index import Retrieval
from core.state.state import State


@dataclass(frozen=True)
class Query:
    """One request with the moment and the state that it is answered from."""

    request: RecommendRequest
    state: State
    retrieval: Retrieval
    user: int
    """Index of the user, NOBODY for a new one."""
    now_s: float
    user_now_s: float
    """Now on the user's own clock, which logs may keep; live it is `now_s`."""
    pool: NDArray[np.bool_] | None
    """(n_objects,) members of the requested pool, or None for all objects."""


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


@runtime_checkable
class Scoring(Protocol):
    """What the ranker may ask of candidates beside their features; a `Source` may be one too."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what it says, unique among the sources of a domain."""
        ...

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, len(columns)) what it says of any objects, proposed by it or not, on its own scale.

        Each row is independent of the other objects; NaN where it says nothing.
        """
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
    """Most candidates of one source; the quotas that a bundle has learned lie below it."""
