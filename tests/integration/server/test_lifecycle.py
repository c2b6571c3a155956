"""From start to stop: nobody is served too early, nobody in flight is dropped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from encore.v1 import recommender_service_pb2 as pb
from encore.v1.recommender_service_pb2_grpc import RecommenderServiceStub
from server.listening import PortTakenError
from server.testing import PATIENCE_S, QUIET, Gate, Parts, in_loop, reason, refused, running_server

SCORE = pb.ScoreRequest(domain="music", object_ids=["t00"])
CHILD = Path(__file__).with_name("child_server.py")


def test_before_it_has_warmed_up_a_server_is_not_ready() -> None:
    parts = Parts()
    gate = parts.engine.gate = Gate()
    with running_server(parts, wait_until_serving=False) as encore:
        gate.wait_until_entered()
        assert encore.health() == encore.health("encore.v1.RecommenderService") == "NOT_SERVING"
        error = refused("UNAVAILABLE", lambda: encore.api.Score(SCORE))
        assert reason(error) == "NOT_READY"
        gate.open()
        parts.log.wait_for("serving")
        assert encore.health() == "SERVING"
        assert encore.api.Score(SCORE).model_version == "v1"


def test_engines_are_warm_before_the_first_caller_comes() -> None:
    with running_server() as encore:
        assert set(encore.parts.engine.calls) >= {"score", "recommend", "still_allowed"}


def test_the_engine_is_never_asked_about_a_moment_before_its_own_clock() -> None:
    parts = Parts()
    with running_server(parts) as encore:
        encore.api.Score(SCORE)
        assert parts.engine.moments[-1] == parts.clock.now_s
        parts.clock.now_s -= 3600
        encore.api.Score(SCORE)
        assert parts.engine.moments[-1] >= parts.engine.clock_s


@pytest.mark.parametrize(
    ("field", "variable"),
    [
        ("port", "ENCORE_PORT"),
        ("admin_port", "ENCORE_ADMIN_PORT"),
        ("metrics_port", "ENCORE_METRICS_PORT"),
    ],
)
def test_a_second_server_on_a_taken_port_fails_and_says_what_to_set(
    field: str, variable: str
) -> None:
    with running_server() as first:
        name = {"port": "api", "admin_port": "admin", "metrics_port": "metrics"}[field]
        taken = getattr(first.ports, name)
        second = in_loop(Parts(settings=QUIET.model_copy(update={field: taken})).build())
        with pytest.raises(PortTakenError, match=variable):
            in_loop(second.start())
        assert first.api.Score(SCORE).model_version == "v1"


def test_an_engine_that_cannot_serve_fails_the_start_and_frees_the_ports() -> None:
    parts = Parts()
    parts.engine.failure = RuntimeError("broken bundle")
    server = in_loop(parts.build())
    with pytest.raises(RuntimeError, match="broken bundle"):
        in_loop(server.start())
    line = parts.log.wait_for("listening")
    again = Parts(settings=QUIET.model_copy(update={"port": line["api"]}))
    with running_server(again) as encore:
        assert encore.ports.api == line["api"]


def test_calls_in_flight_end_well_when_the_server_stops() -> None:
    with running_server() as encore:
        gate = encore.parts.engine.gate = Gate()
        held = encore.api.Score.future(SCORE)
        gate.wait_until_entered()
        stopping = encore.stop_soon()
        encore.parts.log.wait_for("draining")
        gate.open()
        assert held.result().model_version == "v1"
        stopping.result(PATIENCE_S)
        refused("UNAVAILABLE", lambda: encore.api.Score(SCORE))


@contextmanager
def child() -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], event: str) -> dict[str, object]:
    assert process.stdout
    for text in process.stdout:
        line: dict[str, object] = json.loads(text)
        if line["event"] == event:
            return line
    raise AssertionError(f"the server ended without saying {event}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_process_and_the_call_in_flight_completes(
    number: signal.Signals,
) -> None:
    with child() as process:
        port = read_until(process, "serving")["api"]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            held = RecommenderServiceStub(channel).Score.future(SCORE)
            read_until(process, "call is in flight")
            process.send_signal(number)
            read_until(process, "draining")
            assert process.stdin
            process.stdin.write("go on\n")
            process.stdin.flush()
            assert held.result(PATIENCE_S).model_version == "v1"
        read_until(process, "stopped")
        assert process.wait(PATIENCE_S) == 0


def test_a_signal_during_the_start_ends_the_process() -> None:
    with child() as process:
        read_until(process, "listening")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
