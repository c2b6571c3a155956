"""Reads what a server says when it refuses a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def refused(code: str, call: Callable[[], object]) -> grpc.Call:
    """The error with which a call is refused; AssertionError if it is not, or with another code."""
    try:
        reply = call()
    except grpc.RpcError as error:
        refusal = cast(grpc.Call, error)
        if refusal.code().name != code:
            raise AssertionError(
                f"refused with {refusal.code().name} ({refusal.details()}), not {code}"
            ) from error
        return refusal
    raise AssertionError(f"answered {reply!r}, not refused with {code}")


def bad_fields(error: grpc.Call) -> dict[str, str]:
    """Field -> description, from the google.rpc.BadRequest of a refusal."""
    bad = error_details_pb2.BadRequest()
    _unpack(error, bad)
    return {violation.field: violation.description for violation in bad.field_violations}


def reason(error: grpc.Call) -> str:
    """The reason in the google.rpc.ErrorInfo of a refusal."""
    info = error_details_pb2.ErrorInfo()
    _unpack(error, info)
    return str(info.reason)


def retry_after_s(error: grpc.Call) -> float:
    """The delay in the google.rpc.RetryInfo of a refusal, in seconds."""
    retry = error_details_pb2.RetryInfo()
    _unpack(error, retry)
    return float(retry.retry_delay.ToTimedelta().total_seconds())


def _unpack(error: grpc.Call, into: object) -> None:
    status = rpc_status.from_call(error)
    packed = status.details if status is not None else ()
    if not any(detail.Unpack(into) for detail in packed):
        raise AssertionError(f"no {type(into).__name__} in the refusal: {error}")
