from __future__ import annotations

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import (  # type: ignore[import-untyped, unused-ignore]
    code_pb2,
    error_details_pb2,
    status_pb2,
)
from grpc import aio
from grpc_status import rpc_status  # type: ignore[import-untyped, unused-ignore]

from encore_client import EncoreClientError, OverloadedError, RetryPolicy, ServerUnavailableError
from encore_client.plan import CallPlan

RETRY = RetryPolicy(attempts=3, first_wait_s=1.0, longest_wait_s=10.0, jitter=0.0)
NEVER_SENT_AGAIN = [
    code
    for code in grpc.StatusCode
    if code not in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
]


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def plan(clock: Clock, *, timeout_s: float = 60.0, request_id: str = "") -> CallPlan:
    return CallPlan(
        "Score",
        timeout_s=timeout_s,
        retry=RETRY,
        request_id=request_id,
        metadata=[("a", "b")],
        clock=clock,
        luck=lambda: 0.0,
    )


def failed(code: grpc.StatusCode) -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "said so")


def told(code: int, retry_after_s: int) -> aio.AioRpcError:
    status = status_pb2.Status(code=code, message="said so")
    delay = Duration(seconds=retry_after_s)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    sent = rpc_status.to_status(status)
    return aio.AioRpcError(
        sent.code, aio.Metadata(), aio.Metadata(*sent.trailing_metadata), sent.details
    )


def test_an_unavailable_server_is_asked_again_until_the_attempts_are_used_up() -> None:
    call = plan(Clock())
    waits = []
    for _ in range(2):
        call.next_timeout_s()
        waits.append(call.wait_after(failed(grpc.StatusCode.UNAVAILABLE)))
    assert waits == [1.0, 2.0]

    call.next_timeout_s()
    with pytest.raises(ServerUnavailableError) as raised:
        call.wait_after(failed(grpc.StatusCode.UNAVAILABLE))
    assert raised.value.failure.attempts == 3


@pytest.mark.parametrize("code", NEVER_SENT_AGAIN)
def test_nothing_else_is_sent_again(code: grpc.StatusCode) -> None:
    call = plan(Clock())
    call.next_timeout_s()
    with pytest.raises(EncoreClientError) as raised:
        call.wait_after(failed(code))
    assert raised.value.code is code


def test_a_full_server_is_asked_again_when_it_says() -> None:
    call = plan(Clock())
    call.next_timeout_s()
    assert call.wait_after(told(code_pb2.RESOURCE_EXHAUSTED, 7)) == 7.0


def test_a_retry_info_does_not_make_another_code_worth_sending_again() -> None:
    call = plan(Clock())
    call.next_timeout_s()
    with pytest.raises(EncoreClientError) as raised:
        call.wait_after(told(code_pb2.INTERNAL, 7))
    assert raised.value.retry_after_s == 7.0


def test_each_attempt_has_what_the_ones_before_left_of_the_deadline() -> None:
    clock = Clock()
    call = plan(clock, timeout_s=5.0)
    assert call.next_timeout_s() == 5.0
    clock.now_s += 3.0
    assert call.next_timeout_s() == 2.0


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    call = plan(Clock(), timeout_s=7.0)
    call.next_timeout_s()
    with pytest.raises(OverloadedError) as raised:
        call.wait_after(told(code_pb2.RESOURCE_EXHAUSTED, 7))
    assert raised.value.retry_after_s == 7.0


def test_the_request_id_goes_out_as_a_header_beside_the_callers_metadata() -> None:
    assert plan(Clock(), request_id="r-1").metadata == (("a", "b"), ("x-request-id", "r-1"))
    first, second = plan(Clock()), plan(Clock())
    assert first.request_id
    assert first.request_id != second.request_id


@pytest.mark.parametrize("request_id", ["ü", "a\nb", " a", "x" * 129])
def test_a_request_id_that_is_no_header_is_refused(request_id: str) -> None:
    with pytest.raises(ValueError, match="request_id must be"):
        plan(Clock(), request_id=request_id)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_timeout_lies_in_the_future(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s must be above 0"):
        plan(Clock(), timeout_s=timeout_s)
