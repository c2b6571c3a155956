"""Between protobuf and the core's values for AdminService."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.fates import Fate, Stage
from core.requests import Engine, ScoreRequest
from encore.v1 import admin_service_pb2 as admin_pb
from server.checks import Checks
from server.convert import check_user, page_request, user_ref
from server.handlers.score import Features
from server.handlers.why_not import FatesTold, WhyNotQuery, naming_the_request

MAX_DEBUG_OBJECTS = 1_000
MAX_FOLLOWED = 100

STAGES: Mapping[Stage, admin_pb.FateStage.ValueType] = MappingProxyType(
    {
        Stage.UNKNOWN: admin_pb.FATE_STAGE_UNKNOWN,
        Stage.NOT_PROPOSED: admin_pb.FATE_STAGE_NOT_PROPOSED,
        Stage.FILTERED: admin_pb.FATE_STAGE_FILTERED,
        Stage.BEYOND_LIMIT: admin_pb.FATE_STAGE_BEYOND_LIMIT,
        Stage.RERANKED: admin_pb.FATE_STAGE_RERANKED,
        Stage.BELOW_END: admin_pb.FATE_STAGE_BELOW_END,
        Stage.LISTED: admin_pb.FATE_STAGE_LISTED,
    }
)


def features_request(request: admin_pb.DebugFeaturesRequest) -> ScoreRequest:
    """A DebugFeatures request as the Score request whose features it asks for."""
    checks = Checks()
    check_user(checks, request.user)
    checks.mapping("context", request.context)
    checks.ids("object_ids", request.object_ids, at_least=1, at_most=MAX_DEBUG_OBJECTS)
    checks.finish()
    return ScoreRequest(user_ref(request.user), tuple(request.object_ids), dict(request.context))


def features_response(features: Features) -> admin_pb.DebugFeaturesResponse:
    """The batch, row after row."""
    batch = features.batch
    return admin_pb.DebugFeaturesResponse(
        number_columns=[column.name for column in batch.columns.numbers],
        numbers=batch.numbers.ravel().tolist(),
        code_columns=[column.name for column in batch.columns.codes],
        codes=batch.codes.ravel().tolist(),
        model_version=features.model_version,
    )


def why_not_request(request: admin_pb.WhyNotRequest) -> WhyNotQuery:
    """A WhyNot request; InvalidRequestError names every field that is malformed."""
    checks = Checks()
    checks.ids("object_ids", request.object_ids, at_least=1, at_most=MAX_FOLLOWED)
    checks.finish()
    with naming_the_request():
        asked = page_request(request.request)
    return WhyNotQuery(asked.domain, asked.request, tuple(request.object_ids))


def why_not_response(told: FatesTold) -> admin_pb.WhyNotResponse:
    """What became of the objects."""
    return admin_pb.WhyNotResponse(
        fates=map(_fate, told.answer.fates),
        n_scored=told.answer.n_scored,
        n_listed=told.answer.n_listed,
        fallbacks=told.answer.fallbacks,
        model_version=told.model_version,
    )


def serving_model(engine: Engine) -> admin_pb.ServingModel:
    """One engine in service."""
    return admin_pb.ServingModel(
        domain=engine.domain, model_version=engine.model_version, watermark=engine.watermark
    )


def _fate(fate: Fate) -> admin_pb.ObjectFate:
    return admin_pb.ObjectFate(
        object_id=fate.object_id,
        stage=STAGES[fate.stage],
        why=fate.why,
        removed_by=fate.removed_by,
        refused_by=fate.refused_by,
        sources=[
            admin_pb.SourcePlace(
                source=each.source, place=each.place, asked=each.asked, proposed=each.proposed
            )
            for each in fate.sources
        ],
        probability=fate.probability,
        score_place=fate.score_place,
        rank=fate.rank,
    )
