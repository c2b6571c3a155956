"""AdminService: looks inside a running server."""

# ruff: noqa: N802 - method names are those of the contract

from __future__ import annotations

from encore.v1 import admin_service_pb2 as pb
from encore.v1.admin_service_pb2_grpc import AdminServiceServicer
from server import convert_admin
from server.deadline import Deadline, HasTimeRemaining
from server.handlers.score import ScoreHandler
from server.handlers.why_not import WhyNotHandler
from server.serving import Serving


class AdminServicer(AdminServiceServicer):
    """The operators' service."""

    def __init__(self, score: ScoreHandler, why_not: WhyNotHandler, serving: Serving) -> None:
        self._score = score
        self._why_not = why_not
        self._serving = serving

    async def DebugFeatures(
        self, request: pb.DebugFeaturesRequest, context: HasTimeRemaining
    ) -> pb.DebugFeaturesResponse:
        """The features that Score would use."""
        ask = convert_admin.features_request(request)
        features = await self._score.features(request.domain, ask, Deadline.of(context))
        return convert_admin.features_response(features)

    async def ListServing(
        self,
        request: pb.ListServingRequest,  # noqa: ARG002 - the contract has it
        context: HasTimeRemaining,  # noqa: ARG002
    ) -> pb.ListServingResponse:
        """Which models serve."""
        return pb.ListServingResponse(
            models=[convert_admin.serving_model(engine) for engine in self._serving.engines()]
        )

    async def WhyNot(
        self, request: pb.WhyNotRequest, context: HasTimeRemaining
    ) -> pb.WhyNotResponse:
        """What became of objects."""
        ask = convert_admin.why_not_request(request)
        return convert_admin.why_not_response(await self._why_not.tell(ask, Deadline.of(context)))
