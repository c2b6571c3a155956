"""What became of objects that a list does not hold, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from encore.v1 import admin_service_pb2


class FateStage(StrEnum):
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
    NEWER = "newer"
    """A stage that this client is too old to know."""


@dataclass(frozen=True)
class SourcePlace:
    """Where an object stands in what one source has to propose."""

    source: str
    place: int | None
    """From 1, filters aside; None if it is not among ten times as many as asked for."""
    asked: int
    """How many the source is asked for."""
    proposed: bool
    """Whether the object became a candidate by this source."""


@dataclass(frozen=True)
class ObjectFate:
    """What became of one object."""

    object_id: str
    stage: FateStage
    why: str
    """A sentence for people."""
    removed_by: str
    """Name of the filter or reranker that removed it."""
    refused_by: tuple[str, ...]
    """All filters that refuse it, also where it never came before them."""
    sources: tuple[SourcePlace, ...]
    """One for each source that ran."""
    probability: float | None
    """As scored, or as it would have been; None for unknown objects."""
    score_place: int | None
    """Place by probability among all that were scored, from 1."""
    rank: int | None
    """Rank in the list, from 1."""


@dataclass(frozen=True)
class WhyNot:
    """What became of the objects asked about, in the order asked, without repeats."""

    fates: tuple[ObjectFate, ...]
    n_scored: int
    n_listed: int
    fallbacks: tuple[str, ...]
    """What fell back or failed on the way, for people."""
    model_version: str


def why_not(answer: admin_service_pb2.WhyNotResponse) -> WhyNot:
    """Reads the answer of WhyNot."""
    return WhyNot(
        fates=tuple(map(_fate, answer.fates)),
        n_scored=answer.n_scored,
        n_listed=answer.n_listed,
        fallbacks=tuple(answer.fallbacks),
        model_version=answer.model_version,
    )


_STAGES = {
    admin_service_pb2.FATE_STAGE_UNKNOWN: FateStage.UNKNOWN,
    admin_service_pb2.FATE_STAGE_NOT_PROPOSED: FateStage.NOT_PROPOSED,
    admin_service_pb2.FATE_STAGE_FILTERED: FateStage.FILTERED,
    admin_service_pb2.FATE_STAGE_BEYOND_LIMIT: FateStage.BEYOND_LIMIT,
    admin_service_pb2.FATE_STAGE_RERANKED: FateStage.RERANKED,
    admin_service_pb2.FATE_STAGE_BELOW_END: FateStage.BELOW_END,
    admin_service_pb2.FATE_STAGE_LISTED: FateStage.LISTED,
}


def _fate(message: admin_service_pb2.ObjectFate) -> ObjectFate:
    return ObjectFate(
        object_id=message.object_id,
        stage=_STAGES.get(message.stage, FateStage.NEWER),
        why=message.why,
        removed_by=message.removed_by,
        refused_by=tuple(message.refused_by),
        sources=tuple(
            SourcePlace(
                each.source,
                each.place if each.HasField("place") else None,
                each.asked,
                each.proposed,
            )
            for each in message.sources
        ),
        probability=message.probability if message.HasField("probability") else None,
        score_place=message.score_place if message.HasField("score_place") else None,
        rank=message.rank if message.HasField("rank") else None,
    )
