"""A real server on ports of the system's choice, in one event loop for the whole test process."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Condition, Thread
from typing import TypeVar, cast
from urllib.request import urlopen

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from core.requests import Engine
from encore.v1.admin_service_pb2_grpc import AdminServiceStub
from encore.v1.recommender_service_pb2_grpc import RecommenderServiceStub
from server.app import build_server
from server.lifecycle import EncoreServer, Ports
from server.logs import json_log
from server.serving import Capabilities
from server.settings import Settings
from server.testing.fakes import (
    PATIENCE_S,
    FakeEngine,
    FakeGenre,
    ManualClock,
)
from server.testing.stores import (
    MemoryFeedbackLog,
    MemoryObjectAudioStore,
    MemoryQueueStore,
    MemoryRecommendationStore,
)

T = TypeVar("T")
QUIET = Settings(
    host="127.0.0.1",
    port=0,
    admin_port=0,
    metrics_port=0,
    scoring_workers=2,
    scoring_waiting=8,
    listening_workers=1,
    tail_poll_s=0,
    sweep_s=0,
    drain_grace_s=30,
)
"""Ports chosen by the system, nothing in the background."""


class LogLines(io.StringIO):
    """A stream of JSON log lines that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = Condition()

    def write(self, text: str, /) -> int:
        """Append and wake who waits."""
        with self._changed:
            size = super().write(text)
            self._changed.notify_all()
            return size

    def lines(self, event: str) -> list[dict[str, object]]:
        """The lines of one event so far."""
        text = self.getvalue()
        complete = text[: text.rfind("\n") + 1]
        parsed = [json.loads(line) for line in complete.splitlines()]
        return [line for line in parsed if line["event"] == event]

    def wait_for(self, event: str, **fields: object) -> dict[str, object]:
        """The first line of an event with these fields, now or when it comes."""

        def found() -> list[dict[str, object]]:
            return [line for line in self.lines(event) if fields.items() <= line.items()]

        with self._changed:
            if not self._changed.wait_for(found, PATIENCE_S):
                raise TimeoutError(f"no log line {event} {fields} in {self.getvalue()}")
            return found()[0]


@dataclass
class Parts:
    """What a test server is made of."""

    settings: Settings = QUIET
    engines: dict[str, Engine] = field(default_factory=lambda: {"music": FakeEngine()})
    capabilities: Mapping[str, Capabilities] = field(
        default_factory=lambda: {
            "music": Capabilities(FakeGenre(), pools={"royalty_free": frozenset({"t02"})})
        }
    )
    feedback: MemoryFeedbackLog = field(default_factory=MemoryFeedbackLog)
    queues: MemoryQueueStore = field(default_factory=MemoryQueueStore)
    recommendations: MemoryRecommendationStore = field(default_factory=MemoryRecommendationStore)
    object_audio: MemoryObjectAudioStore = field(default_factory=MemoryObjectAudioStore)
    clock: ManualClock = field(default_factory=ManualClock)
    log: LogLines = field(default_factory=LogLines)

    @property
    def engine(self) -> FakeEngine:
        """The engine of music."""
        return cast(FakeEngine, self.engines["music"])

    @property
    def genre(self) -> FakeGenre:
        """The genre capability of music."""
        return cast(FakeGenre, self.capabilities["music"].genre)

    async def build(self) -> EncoreServer:
        """The server of these parts."""
        return build_server(
            self.settings,
            self.engines,
            self.capabilities,
            self.feedback,
            self.queues,
            self.recommendations,
            self.object_audio,
            self.clock,
            b"key of the tests",
            json_log(self.log, "DEBUG"),
        )


@dataclass(frozen=True)
class RunningServer:
    """A server that runs, and stubs that reach it."""

    parts: Parts
    server: EncoreServer
    ports: Ports
    channel: grpc.Channel
    admin_channel: grpc.Channel

    @property
    def api(self) -> RecommenderServiceStub:
        """The public service."""
        return RecommenderServiceStub(self.channel)

    @property
    def admin(self) -> AdminServiceStub:
        """The operators' service."""
        return AdminServiceStub(self.admin_channel)

    def health(self, service: str = "", *, admin: bool = False) -> str:
        """Name of the serving status."""
        stub = health_pb2_grpc.HealthStub(self.admin_channel if admin else self.channel)
        reply = stub.Check(health_pb2.HealthCheckRequest(service=service))
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))

    def wait_until_waiting(self, calls: int) -> None:
        """Return once so many calls wait for a scoring thread."""

        async def waiting() -> None:
            async with asyncio.timeout(PATIENCE_S):
                while self.server.waiting_for_scoring != calls:
                    await asyncio.sleep(0)

        in_loop(waiting())

    def stop_soon(self) -> Future[None]:
        """Begin the drain; the result comes when the server has stopped."""
        return asyncio.run_coroutine_threadsafe(self.server.stop(), loop_of_tests())

    def stop(self) -> None:
        """Drain and stop now, rather than at the end of the test."""
        self.stop_soon().result(PATIENCE_S)

    def counted(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        """Labels -> value of one sample name, also when the server has stopped."""
        return {
            frozenset(sample.labels.items()): sample.value
            for family in self.server.metrics.registry.collect()
            for sample in family.samples
            if sample.name == name
        }

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """(sample name, labels) -> value, as /metrics tells them."""
        with urlopen(f"http://127.0.0.1:{self.ports.metrics}/metrics") as page:
            families = text_string_to_metric_families(page.read().decode())
            return {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in families
                for sample in family.samples
            }

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that carry these labels."""
        return sum(
            value
            for (sample, carried), value in self.metrics().items()
            if sample == name and labels.items() <= dict(carried).items()
        )


@cache
def loop_of_tests() -> asyncio.AbstractEventLoop:
    """One event loop for the whole process, as gRPC wants it."""
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="test-loop", daemon=True).start()
    return loop


def in_loop(work: Coroutine[object, object, T]) -> T:
    """The result of a coroutine, run in the loop of the tests."""
    return asyncio.run_coroutine_threadsafe(work, loop_of_tests()).result(PATIENCE_S)


@contextmanager
def running_server(
    parts: Parts | None = None, *, wait_until_serving: bool = True
) -> Iterator[RunningServer]:
    """A server that listens, and serves unless the test wants to see it start; then its drain."""
    parts = parts or Parts()
    server = in_loop(parts.build())
    starting = asyncio.run_coroutine_threadsafe(server.start(), loop_of_tests())
    if wait_until_serving:
        ports = starting.result(PATIENCE_S)
    else:
        line = parts.log.wait_for("listening")
        ports = Ports(*(cast(int, line[name]) for name in ("api", "admin", "metrics")))
    options = (("grpc.max_receive_message_length", -1),)
    try:
        with (
            grpc.insecure_channel(f"127.0.0.1:{ports.api}", options) as channel,
            grpc.insecure_channel(f"127.0.0.1:{ports.admin}", options) as admin_channel,
        ):
            yield RunningServer(parts, server, ports, channel, admin_channel)
    finally:
        starting.result(PATIENCE_S)
        in_loop(server.stop())
