"""What became of an object that somebody asked about: at which stage it left the list, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far an object came on its way into a list."""

    UNKNOWN = "unknown"
    """Neither the catalogue nor anybody's past knows it."""
    NOT_PROPOSED = "not_proposed"
    """No source proposed it, or the request names its candidates and it is none of them."""
    FILTERED = "filtered"
    """A filter removed it."""
    BEYOND_LIMIT = "beyond_limit"
    """Each source that proposed it had enough better ones that the filters left."""
    RERANKED = "reranked"
    """It was scored, then a reranker removed it."""
    BELOW_END = "below_end"
    """It was scored, but the list was full before it."""
    LISTED = "listed"
    """It is in the list."""


@dataclass(frozen=True)
class SourcePlace:
    """Where an object stands in what one source has to propose."""

    source: str
    place: int | None
    """From 1 among all it proposes, filters aside; None if it is not among the many looked at."""
    asked: int
    """How many the source is asked for."""
    proposed: bool
    """Whether the object became a candidate by this source."""


@dataclass(frozen=True)
class Fate:
    """What became of one object."""

    object_id: str
    stage: Stage
    why: str
    """A sentence for people."""
    removed_by: str = ""
    """Name of the filter or reranker that removed it."""
    refused_by: tuple[str, ...] = ()
    """All filters that refuse it, also where it never came before them."""
    sources: tuple[SourcePlace, ...] = ()
    """One for each source that ran, in their order."""
    probability: float | None = None
    """As scored, or as it would have been scored; None for unknown objects."""
    score_place: int | None = None
    """Place by probability among all that were scored, from 1; as if it had been one of them."""
    rank: int | None = None
    """Place in the list, from 1."""


@dataclass(frozen=True)
class WhyNot:
    """What became of the objects asked about, in the order asked."""

    fates: tuple[Fate, ...]
    n_scored: int
    """How many candidates were scored."""
    n_listed: int
    """How many came into the list."""
    fallbacks: tuple[str, ...]
    """What fell back or failed on the way."""
