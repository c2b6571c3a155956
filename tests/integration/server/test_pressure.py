"""More calls than threads, callers who leave, engines that fail: nobody waits in vain."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from encore.v1 import recommender_service_pb2 as pb
from server.testing import (
    QUIET,
    Gate,
    Parts,
    RunningServer,
    reason,
    refused,
    retry_after_s,
    running_server,
)

ONE_THREAD = QUIET.model_copy(
    update={"scoring_workers": 1, "scoring_waiting": 1, "retry_after_s": 2.5}
)
SCORE = pb.ScoreRequest(domain="music", object_ids=["t00"])


def named(request_id: str) -> pb.ScoreRequest:
    return pb.ScoreRequest(domain="music", object_ids=["t00"], request_id=request_id)


@pytest.fixture
def encore() -> Iterator[RunningServer]:
    with running_server(Parts(settings=ONE_THREAD)) as running:
        running.parts.engine.calls.clear()  # those of the warm-up
        running.parts.engine.finished.clear()
        yield running


@pytest.fixture
def gate(encore: RunningServer) -> Iterator[Gate]:
    """The only thread stands here until the gate opens."""
    encore.parts.engine.gate = Gate()
    yield encore.parts.engine.gate
    encore.parts.engine.gate.open()


def test_a_full_line_is_resource_exhausted_and_says_when_to_retry(
    encore: RunningServer, gate: Gate
) -> None:
    held = encore.api.Score.future(SCORE)
    gate.wait_until_entered()
    waiting = encore.api.Score.future(SCORE)
    encore.wait_until_waiting(1)
    error = refused("RESOURCE_EXHAUSTED", lambda: encore.api.Score(SCORE))
    assert (reason(error), retry_after_s(error)) == ("OVERLOADED", 2.5)
    gate.open()
    assert held.result().model_version == waiting.result().model_version == "v1"


def test_work_of_a_caller_whose_deadline_passed_in_the_line_is_dropped(
    encore: RunningServer, gate: Gate
) -> None:
    held = encore.api.Score.future(SCORE)
    gate.wait_until_entered()
    refused("DEADLINE_EXCEEDED", lambda: encore.api.Score(named("late"), timeout=0.2))
    encore.parts.log.wait_for("call", request_id="late")
    gate.open()
    held.result()
    encore.api.Score(SCORE)
    assert encore.parts.engine.calls == ["score", "score"]


def test_work_of_a_caller_who_left_the_line_is_dropped(encore: RunningServer, gate: Gate) -> None:
    held = encore.api.Score.future(SCORE)
    gate.wait_until_entered()
    leaving = encore.api.Score.future(named("left"))
    encore.wait_until_waiting(1)
    leaving.cancel()
    encore.parts.log.wait_for("call", request_id="left", code="CANCELLED")
    gate.open()
    held.result()
    encore.api.Score(SCORE)
    assert encore.parts.engine.calls == ["score", "score"]


def test_a_cancelled_call_does_not_go_on_to_its_next_stage(
    encore: RunningServer, gate: Gate
) -> None:
    leaving = encore.api.Recommend.future(pb.RecommendRequest(domain="music", request_id="left"))
    gate.wait_until_entered()
    leaving.cancel()
    encore.parts.log.wait_for("call", request_id="left", code="CANCELLED")
    gate.open()
    encore.api.Score(SCORE)  # the only thread is free again, so the ranking has ended
    assert encore.parts.engine.finished == ["recommend", "score"]
    assert encore.parts.queues.records == {}
    assert encore.parts.recommendations.records == []


def test_an_error_nobody_foresaw_tells_the_request_id_and_the_log_tells_the_rest(
    encore: RunningServer,
) -> None:
    encore.parts.engine.failure = RuntimeError("the password is hunter2")
    error = refused("INTERNAL", lambda: encore.api.Score(named("r-17")))
    assert error.details() == "internal error in request r-17"
    line = encore.parts.log.wait_for("unexpected error", request_id="r-17")
    assert "hunter2" in str(line["exception"])
    assert "Traceback" in str(line["exception"])


def test_started_is_handled_over_all_codes_for_every_way_a_call_can_end(
    encore: RunningServer,
) -> None:
    encore.api.Score(SCORE)
    refused("INVALID_ARGUMENT", lambda: encore.api.Score(pb.ScoreRequest(domain="music")))
    refused("NOT_FOUND", lambda: encore.health("nobody"))
    missing: grpc.UnaryUnaryMultiCallable[bytes, bytes] = encore.channel.unary_unary(
        "/encore.v1.RecommenderService/Nothing"
    )
    refused("UNIMPLEMENTED", lambda: missing(b""))
    encore.parts.engine.failure = RuntimeError("unforeseen")
    refused("INTERNAL", lambda: encore.api.Score(SCORE))
    encore.parts.engine.failure = None

    gate = encore.parts.engine.gate = Gate()
    held = encore.api.Score.future(SCORE)
    gate.wait_until_entered()
    leaving = encore.api.Score.future(named("left"))
    encore.wait_until_waiting(1)
    refused("RESOURCE_EXHAUSTED", lambda: encore.api.Score(SCORE))
    leaving.cancel()
    encore.parts.log.wait_for("call", request_id="left")
    refused("DEADLINE_EXCEEDED", lambda: encore.api.Score(named("late"), timeout=0.1))
    encore.parts.log.wait_for("call", request_id="late")
    gate.open()
    held.result()
    encore.stop()  # a status may reach the caller a moment before it is counted

    started = encore.counted("grpc_server_started_total")
    handled = encore.counted("grpc_server_handled_total")
    assert sum(started.values()) == sum(handled.values()) == 9
    ended = {dict(labels)["grpc_code"] for labels in handled}
    assert ended >= {
        "OK",
        "InvalidArgument",
        "NotFound",
        "Unimplemented",
        "Internal",
        "ResourceExhausted",
        "Canceled",
    }
    score = {"grpc_type": "unary", "grpc_service": "encore.v1.RecommenderService"}
    assert started[frozenset({**score, "grpc_method": "Score"}.items())] == 7
    observed = encore.counted("grpc_server_handling_seconds_count")
    assert observed[frozenset({**score, "grpc_method": "Score"}.items())] == 7


def test_sound_files_do_not_hold_up_scores(encore: RunningServer) -> None:
    encore.parts.genre.gate = Gate()
    sound = pb.GenreNeighborRequest(domain="music", audio=b"RIFF")
    held = encore.api.GenreNeighbor.future(sound)
    encore.parts.genre.gate.wait_until_entered()
    assert encore.api.Score(SCORE).model_version == "v1"
    encore.parts.genre.gate.open()
    assert held.result().model_version == "v1"
