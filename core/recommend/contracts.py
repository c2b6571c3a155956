"""What the stages of the pipeline promise each other."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.requests import RecommendRequest
from core.retrieval.index import Retrieval
from core.state.state import State

T = TypeVar("T")


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
    """(n_objects,) what sources may propose: members of the requested pool that pass the strict
    facet filters and are as novel as asked; None for all objects. See `core.recommend.allowed`."""
    preference: NDArray[np.int8] | None = None
    """(n_objects,) how many of the story's tags each object carries, or None without any."""
    _known: dict[Hashable, object] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """See `once`: arrays of all objects, so who keeps queries keeps copies (`replace`)."""

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What `compute` gives, computed once for this query; nobody may write into it.

        Sources propose and score from the same numbers, and many read the same past.
        """
        if key not in self._known:
            self._known[key] = compute()
        return cast(T, self._known[key])


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


@dataclass(frozen=True)
class Ranking:
    """n distinct candidates in order, as one reranker hands them to the next."""

    objects: NDArray[np.int32]
    """(n,)"""
    utilities: NDArray[np.float64]
    """(n,) what each is worth showing: its probability, until a reranker blends something in. They
    fall within a tier, until a reranker has looked at the list as a whole."""
    tiers: NDArray[np.int8]
    """(n,) never falling: an object of a later tier must not come before one of an earlier."""


@dataclass(frozen=True)
class Draws:
    """How a random policy came to each of its m picks, given the picks before it."""

    propensities: NDArray[np.float64]
    """(m,) in (0, 1], of the pick at its place."""
    choices: NDArray[np.int64]
    """(m,) how many candidates could have come there."""
    best: NDArray[np.intp]
    """(m,) the position that would have come there without chance."""


@dataclass(frozen=True)
class Picked:
    """What a reranker makes of a ranking of n."""

    positions: NDArray[np.intp]
    """(m <= n,) distinct positions in the ranking, in the new order."""
    utilities: NDArray[np.float64] | None = None
    """(m,) what the picks are worth now; None leaves that as it was."""
    draws: Draws | None = None
    """None of a policy without chance: every propensity is 1."""


class Reranker(Protocol):
    """A pure slate policy: all that it knows is the query, all chance comes from its seed."""

    @property
    def name(self) -> str:
        """For reports."""
        ...

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        """Pick from candidates that are in order; what is not picked is removed."""
        ...


@dataclass(frozen=True)
class Stages:
    """What a domain assembles, in the order of the request."""

    sources: tuple[Source, ...]
    filters: tuple[Filter, ...]
    rerankers: tuple[Reranker, ...]
    """Only the last may draw: a place that is moved afterwards would no longer have its propensity.
    """
    source_limit: int = 200
    """Most candidates of one source; the quotas that a bundle has learned lie below it."""
