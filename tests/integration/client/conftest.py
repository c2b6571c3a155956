"""A real server with scripted failures, and both clients behind one blocking face."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import (  # type: ignore[import-untyped, unused-ignore]
    error_details_pb2,
    status_pb2,
)
from grpc_health.v1 import health, health_pb2_grpc  # type: ignore[import-untyped, unused-ignore]
from grpc_status import rpc_status  # type: ignore[import-untyped, unused-ignore]

from encore.v1 import admin_service_pb2 as admin
from encore.v1 import recommender_service_pb2 as pb
from encore.v1.admin_service_pb2_grpc import (
    AdminServiceServicer,
    add_AdminServiceServicer_to_server,
)
from encore.v1.recommender_service_pb2_grpc import (
    RecommenderServiceServicer,
    add_RecommenderServiceServicer_to_server,
)
from encore_client import AsyncEncoreClient, ClientOptions, EncoreClient, RetryPolicy

Request = TypeVar("Request", bound=Message)

QUICK = ClientOptions(retry=RetryPolicy(attempts=4, first_wait_s=0.01))


@dataclass(frozen=True)
class Seen:
    """One attempt that reached the server."""

    request: Any
    metadata: dict[str, str]
    remaining_s: float
    security: str


class ScriptedServer(RecommenderServiceServicer, AdminServiceServicer):
    """Answers small truths, after the failures that a test has put before them."""

    def __init__(self, port: int = 0) -> None:
        self.seen: dict[str, list[Seen]] = defaultdict(list)
        self.stored: dict[str, pb.FeedbackEvent] = {}
        self.pages = 3
        self.release = threading.Event()
        self.ended = threading.Event()
        self.health = health.HealthServicer()
        self._failures: dict[str, deque[grpc.Status | None]] = defaultdict(deque)
        self._blocked: set[str] = set()
        self._server = grpc.server(ThreadPoolExecutor(8))
        add_RecommenderServiceServicer_to_server(self, self._server)
        add_AdminServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"
        secure_port = self._server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
        self.secure_target = f"127.0.0.1:{secure_port}"
        self._server.start()

    def fail(
        self,
        method: str,
        code: grpc.StatusCode,
        *,
        times: int = 1,
        violations: dict[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """The next calls of the method fail."""
        status = status_pb2.Status(code=code.value[0], message="scripted")
        if violations:
            bad = error_details_pb2.BadRequest()
            for field, description in violations.items():
                bad.field_violations.add(field=field, description=description)
            status.details.add().Pack(bad)
        if retry_after_s is not None:
            delay = Duration(nanos=round(retry_after_s * 1e9))
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        self._failures[method].extend([rpc_status.to_status(status)] * times)

    def succeed(self, method: str, times: int = 1) -> None:
        """The next calls of the method succeed, before what is scripted after this."""
        self._failures[method].extend([None] * times)

    def block(self, method: str) -> None:
        """Calls of the method do not answer before `release` is set."""
        self._blocked.add(method)

    def stop(self) -> None:
        self.release.set()
        self._server.stop(0).wait()

    def _enter(self, method: str, request: Message, context: grpc.ServicerContext) -> None:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        (security,) = context.auth_context().get("transport_security_type", (b"insecure",))
        self.seen[method].append(
            Seen(request, metadata, context.time_remaining(), bytes(security).decode())
        )
        if method in self._blocked:
            context.add_callback(self.ended.set)
            self.release.wait(10)
        if self._failures[method] and (status := self._failures[method].popleft()):
            context.abort_with_status(status)

    def Score(self, request: pb.ScoreRequest, context: grpc.ServicerContext) -> pb.ScoreResponse:  # noqa: N802
        self._enter("Score", request, context)
        half = [0.5] * len(request.object_ids)
        answer = pb.ScoreResponse(
            object_ids=request.object_ids,
            probabilities=half,
            missing_ids=[each for each in request.object_ids if each.startswith("new")],
            model_version="m1",
            request_id=request.request_id,
        )
        if request.include_members:
            answer.members.add(member="jenn", probabilities=half)
        if request.explain:
            for _ in half:
                told = answer.explanations.add(logit=0.0, intercept=-2.0, branch_cosine=0.25)
                told.members.add(member="jenn", logit=1.0, weight=0.5, contribution=0.5)
                trees = told.members.add(member="lightgbm", logit=3.0, weight=0.5, contribution=1.5)
                trees.features.base = 0.5
                trees.features.features.add(feature="age", family="static", contribution=2.0)
                trees.features.rest = 0.5
                trees.features.families.add(family="static", contribution=2.5)
        return answer

    def Recommend(  # noqa: N802
        self, request: pb.RecommendRequest, context: grpc.ServicerContext
    ) -> pb.RecommendResponse:
        self._enter("Recommend", request, context)
        page = int(request.page_token or 1)
        answer = pb.RecommendResponse(
            recommendation_id=f"rec-{page}",
            next_page_token=str(page + 1) if page < self.pages else "",
            fallbacks=["queue: empty"],
            model_version="m1",
            request_id=request.request_id,
        )
        answer.items.add(
            object_id=f"o{page}",
            probability=1 / page,
            rank=page,
            sources=["past"],
            reasons=["r"],
            propensity=0.25,
            explored=True,
        )
        return answer

    def GenreNeighbor(  # noqa: N802
        self, request: pb.GenreNeighborRequest, context: grpc.ServicerContext
    ) -> pb.GenreNeighborResponse:
        self._enter("GenreNeighbor", request, context)
        answer = pb.GenreNeighborResponse(status=pb.GENRE_STATUS_OK, note=f"{request.k}")
        answer.genres.add(genre="jazz", probability=0.9)
        answer.neighbors.add(track_id="t2", cosine=0.8, genre="jazz")
        answer.moods.add(tag="Mellow", probability=0.5)
        answer.instruments.add(tag="guitar", probability=0.7)
        answer.same_recording_ids.append("t-copy")
        return answer

    def Feedback(  # noqa: N802
        self, request: pb.FeedbackRequest, context: grpc.ServicerContext
    ) -> pb.FeedbackResponse:
        answer = pb.FeedbackResponse(model_version="m1", request_id=request.request_id)
        for index, event in enumerate(request.events):
            if event.object_id == "bad":
                answer.rejected.add(index=index, reason="no such thing")
            elif event.event_id in self.stored:
                answer.duplicates += 1
            else:
                self.stored[event.event_id] = event
                answer.accepted += 1
        # Fails after storing, as when the answer is lost on its way: a retry must not count twice.
        self._enter("Feedback", request, context)
        return answer

    def DebugFeatures(  # noqa: N802
        self, request: admin.DebugFeaturesRequest, context: grpc.ServicerContext
    ) -> admin.DebugFeaturesResponse:
        self._enter("DebugFeatures", request, context)
        return admin.DebugFeaturesResponse(
            number_columns=["age", "plays"],
            numbers=[30.0, 0.5, 30.0, float("nan")],
            code_columns=["city"],
            codes=[13, 0],
            model_version="m1",
        )

    def ListServing(  # noqa: N802
        self, request: admin.ListServingRequest, context: grpc.ServicerContext
    ) -> admin.ListServingResponse:
        self._enter("ListServing", request, context)
        answer = admin.ListServingResponse()
        answer.models.add(domain="music", model_version="m1", watermark=2**40)
        return answer

    def WhyNot(  # noqa: N802
        self, request: admin.WhyNotRequest, context: grpc.ServicerContext
    ) -> admin.WhyNotResponse:
        self._enter("WhyNot", request, context)
        answer = admin.WhyNotResponse(
            n_scored=40, n_listed=10, fallbacks=["source als failed"], model_version="m1"
        )
        answer.fates.add(
            object_id="a",
            stage=admin.FATE_STAGE_LISTED,
            why="in the list at rank 2",
            probability=0.5,
            score_place=3,
            rank=2,
            sources=[admin.SourcePlace(source="popular", place=7, asked=200, proposed=True)],
        )
        answer.fates.add(object_id="b", stage=99)
        return answer


class Call(Protocol):
    """Calls a method of a client by name and returns its answer; an iterator's as a list."""

    def __call__(self, method: str, *args: object, **options: object) -> Any: ...  # noqa: ANN401


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture(params=["blocking", "asyncio"])
def call(request: pytest.FixtureRequest, server: ScriptedServer) -> Iterator[Call]:
    """Each test that calls runs against both clients: they may not differ."""
    options: dict[str, Any] = {
        "domain": "music",
        "metadata": [("authorization", "Bearer t")],
        "options": QUICK,
    }
    if request.param == "blocking":
        with EncoreClient(server.target, **options) as client:

            def call_blocking(method: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
                answer = getattr(client, method)(*args, **kwargs)
                return list(answer) if inspect.isgenerator(answer) else answer

            yield call_blocking
        return

    aio_client = AsyncEncoreClient(server.target, **options)
    with asyncio.Runner() as runner:

        async def call_async(method: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
            answer = getattr(aio_client, method)(*args, **kwargs)
            if inspect.isasyncgen(answer):
                return [each async for each in answer]
            return await answer

        yield lambda method, *args, **kwargs: runner.run(call_async(method, *args, **kwargs))
        runner.run(aio_client.close())
