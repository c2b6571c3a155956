from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from encore_client import (
    AsyncEncoreClient,
    ClientOptions,
    DeadlineExceededError,
    EncoreClient,
    EncoreClientError,
    FeedbackEvent,
    FieldViolation,
    InvalidRequestError,
    Outcome,
    OverloadedError,
    RetryPolicy,
    ServerUnavailableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from tests.integration.client.conftest import Call, ScriptedServer

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "Score": ("score", ("u", ["a"]), {}),
    "Recommend": ("recommend", ("u",), {}),
    "GenreNeighbor": ("genre_neighbor", (), {"track_id": "t"}),
    "Feedback": ("like", ("u", "a"), {}),
}


@pytest.mark.parametrize("method", CALLS)
def test_a_server_that_is_back_in_time_is_never_noticed(
    call: Call, server: ScriptedServer, method: str
) -> None:
    server.fail(method, UNAVAILABLE, times=3)
    name, args, options = CALLS[method]
    call(name, *args, **options)
    attempts = server.seen[method]
    assert len(attempts) == 4
    assert len({attempt.metadata["x-request-id"] for attempt in attempts}) == 1
    assert all(attempt.request == attempts[0].request for attempt in attempts)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    ],
)
def test_what_would_fail_again_is_sent_once(
    call: Call, server: ScriptedServer, method: str, code: grpc.StatusCode
) -> None:
    server.fail(method, code)
    name, args, options = CALLS[method]
    with pytest.raises(EncoreClientError) as raised:
        call(name, *args, **options)
    assert raised.value.code is code
    assert len(server.seen[method]) == 1


def test_attempts_are_bounded_and_the_error_tells_them(call: Call, server: ScriptedServer) -> None:
    server.fail("Score", UNAVAILABLE, times=9)
    with pytest.raises(ServerUnavailableError) as raised:
        call("score", "u", ["a"], request_id="r-1")
    assert len(server.seen["Score"]) == 4
    assert raised.value.failure.attempts == 4
    assert raised.value.request_id == "r-1"


def test_a_full_server_is_asked_again_when_it_said(call: Call, server: ScriptedServer) -> None:
    server.fail("Score", grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after_s=0.2)
    begun = time.monotonic()
    call("score", "u", ["a"])
    assert time.monotonic() - begun >= 0.2
    assert len(server.seen["Score"]) == 2


def test_a_full_server_that_says_too_late_is_told_at_once(
    call: Call, server: ScriptedServer
) -> None:
    server.fail("Score", grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after_s=0.9)
    begun = time.monotonic()
    with pytest.raises(OverloadedError) as raised:
        call("score", "u", ["a"], timeout_s=0.8)
    assert raised.value.retry_after_s == pytest.approx(0.9)
    assert time.monotonic() - begun < 0.7


def test_the_deadline_covers_all_attempts(call: Call, server: ScriptedServer) -> None:
    server.fail("Score", UNAVAILABLE, retry_after_s=0.3)
    server.block("Score")
    threading.Timer(0.1, server.release.set).start()
    call("score", "u", ["a"], timeout_s=2.0)
    first, second = server.seen["Score"]
    assert second.remaining_s <= first.remaining_s - 0.35


def test_a_silent_server_is_left_when_the_deadline_passes(
    call: Call, server: ScriptedServer
) -> None:
    server.block("Score")
    begun = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        call("score", "u", ["a"], timeout_s=0.3)
    assert 0.3 <= time.monotonic() - begun < 2.0
    assert len(server.seen["Score"]) == 1


def test_violations_name_the_fields(call: Call, server: ScriptedServer) -> None:
    server.fail(
        "Score",
        grpc.StatusCode.INVALID_ARGUMENT,
        violations={"object_ids[1]": "is empty: leave it out", "context": "no such field: 'x'"},
    )
    with pytest.raises(InvalidRequestError, match=r"object_ids\[1\]: is empty") as raised:
        call("score", "u", ["a", ""])
    assert raised.value.violations == (
        FieldViolation("object_ids[1]", "is empty: leave it out"),
        FieldViolation("context", "no such field: 'x'"),
    )


def test_a_domain_without_sound_says_so(call: Call, server: ScriptedServer) -> None:
    server.fail("GenreNeighbor", grpc.StatusCode.UNIMPLEMENTED)
    with pytest.raises(UnsupportedError, match="scripted"):
        call("genre_neighbor", track_id="t")


def test_a_dislike_whose_answer_was_lost_counts_once(call: Call, server: ScriptedServer) -> None:
    server.fail("Feedback", UNAVAILABLE)
    receipt = call("dislike", "u", "a")
    first, second = (seen.request.events[0] for seen in server.seen["Feedback"])
    assert first.event_id == second.event_id != ""
    assert len(server.stored) == 1
    assert (receipt.accepted, receipt.duplicates) == (0, 1)


def test_feedback_that_fails_half_way_tells_what_is_stored_and_can_be_sent_again(
    call: Call, server: ScriptedServer
) -> None:
    events = [FeedbackEvent("u", "a", Outcome.PLAY) for _ in range(1_500)]
    server.succeed("Feedback")
    server.fail(
        "Feedback", grpc.StatusCode.INVALID_ARGUMENT, violations={"events[7].user_id": "is empty"}
    )
    with pytest.raises(InvalidRequestError) as raised:
        call("feedback", events)
    assert raised.value.violations[0].field == "events[1007].user_id"
    assert raised.value.failure.stored is not None
    assert raised.value.failure.stored.accepted == 1_000

    call("feedback", events)
    assert len(server.stored) == 1_500


def test_a_server_without_a_health_service_is_not_taken_for_one_that_is_down() -> None:
    bare = grpc.server(ThreadPoolExecutor(1))
    port = bare.add_insecure_port("127.0.0.1:0")
    bare.start()
    with (
        EncoreClient(f"127.0.0.1:{port}", domain="music") as client,
        pytest.raises(UnsupportedError),
    ):
        client.is_serving()
    bare.stop(0).wait()


def test_a_server_that_restarts_is_reached_within_the_deadline(server: ScriptedServer) -> None:
    port = int(server.target.rsplit(":", 1)[1])

    def start_again() -> ScriptedServer:
        time.sleep(0.2)
        return type(server)(port)

    steady = ClientOptions(retry=RetryPolicy(attempts=6, jitter=0.0))
    with (
        EncoreClient(server.target, domain="music", options=steady) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        client.recommend("u")
        server.stop()
        restarted = pool.submit(start_again)
        assert client.recommend("u").items
        restarted.result().stop()


def test_a_closed_client_says_so(server: ScriptedServer) -> None:
    client = EncoreClient(server.target, domain="music")
    client.score("u", ["a"])
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.score("u", ["a"])


def test_closing_wakes_a_call_that_waits_for_its_next_attempt(server: ScriptedServer) -> None:
    server.fail("Score", UNAVAILABLE, times=9)
    patient = ClientOptions(retry=RetryPolicy(first_wait_s=30.0, longest_wait_s=30.0))
    client = EncoreClient(server.target, domain="music", options=patient)
    threading.Timer(0.2, client.close).start()
    begun = time.monotonic()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.score("u", ["a"], timeout_s=60.0)
    assert time.monotonic() - begun < 5.0


def test_a_closed_asyncio_client_says_so(server: ScriptedServer) -> None:
    async def close_and_call() -> None:
        async with AsyncEncoreClient(server.target, domain="music") as client:
            await client.score("u", ["a"])
        with pytest.raises(RuntimeError, match="the client is closed"):
            await client.score("u", ["a"])

    asyncio.run(close_and_call())


def test_cancelling_the_task_cancels_the_call_on_the_server(server: ScriptedServer) -> None:
    server.block("Score")

    async def cancel() -> None:
        async with AsyncEncoreClient(server.target, domain="music") as client:
            task = asyncio.create_task(client.score("u", ["a"], timeout_s=30.0))
            while not server.seen["Score"]:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.ended.wait, 5.0)

    asyncio.run(cancel())
    assert len(server.seen["Score"]) == 1


def test_cancelling_between_attempts_makes_no_further_one(server: ScriptedServer) -> None:
    server.fail("Score", UNAVAILABLE, times=9)
    patient = ClientOptions(retry=RetryPolicy(first_wait_s=30.0, longest_wait_s=30.0))

    async def cancel() -> None:
        async with AsyncEncoreClient(server.target, domain="music", options=patient) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.score("u", ["a"], timeout_s=60.0), 0.3)

    asyncio.run(cancel())
    assert len(server.seen["Score"]) == 1


def test_the_event_loop_turns_while_an_answer_is_awaited(server: ScriptedServer) -> None:
    server.block("Score")

    async def both() -> None:
        async with AsyncEncoreClient(server.target, domain="music") as client:
            slow = asyncio.create_task(client.score("u", ["a"]))
            page = await client.recommend("u")
            assert page.items
            assert not slow.done()
            server.release.set()
            assert (await slow).object_ids == ("a",)

    asyncio.run(both())
