"""From errors to gRPC statuses, by one literal table; the details are those of google.rpc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from core.errors import (
    BundleError,
    CapabilityMissingError,
    EncoreError,
    FieldViolation,
    InvalidDataError,
    InvalidRequestError,
    NotEnoughDataError,
    NotReadyError,
    OverloadedError,
    StalePageTokenError,
    UnknownDomainError,
)
from server.deadline import DeadlineExceededError
from server.store.errors import StoreUnavailableError

ERROR_DOMAIN = "encore"
"""The `domain` of every google.rpc.ErrorInfo."""
MAX_VIOLATIONS = 8
MAX_MESSAGE_BYTES = 600
MAX_FIELD_BYTES = 120
MAX_DESCRIPTION_BYTES = 240
"""Statuses travel in HTTP/2 headers, of which clients accept 8 KiB by default; text outside ASCII
is percent-encoded there to three times its size, and the details come on top."""


@dataclass(frozen=True)
class Row:
    """How one kind of error is told."""

    code: grpc.StatusCode
    reason: str
    """The `reason` of google.rpc.ErrorInfo: what programs may branch on."""


STATUS: dict[type[EncoreError], Row] = {
    InvalidRequestError: Row(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    UnknownDomainError: Row(grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_DOMAIN"),
    StalePageTokenError: Row(grpc.StatusCode.INVALID_ARGUMENT, "STALE_PAGE_TOKEN"),
    InvalidDataError: Row(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_DATA"),
    CapabilityMissingError: Row(grpc.StatusCode.UNIMPLEMENTED, "CAPABILITY_MISSING"),
    StoreUnavailableError: Row(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
    NotReadyError: Row(grpc.StatusCode.UNAVAILABLE, "NOT_READY"),
    OverloadedError: Row(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    DeadlineExceededError: Row(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    NotEnoughDataError: Row(grpc.StatusCode.FAILED_PRECONDITION, "NOT_ENOUGH_DATA"),
    BundleError: Row(grpc.StatusCode.FAILED_PRECONDITION, "BUNDLE_REFUSED"),
}
UNLISTED = Row(grpc.StatusCode.INTERNAL, "INTERNAL")


@dataclass(frozen=True)
class CallStatus:
    """A status ready to send."""

    code: grpc.StatusCode
    message: str
    proto: status_pb2.Status


def status_of(error: BaseException, request_id: str) -> CallStatus:
    """The status that tells an error; one that is not in the table tells nothing but the id."""
    row = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), UNLISTED)
    message = str(error) if row is not UNLISTED else f"internal error in request {request_id}"
    message = clip(message, MAX_MESSAGE_BYTES)
    info = error_details_pb2.ErrorInfo(
        reason=row.reason, domain=ERROR_DOMAIN, metadata={"request_id": request_id}
    )
    number: int = row.code.value[0]
    proto = status_pb2.Status(
        code=number, message=message, details=[_packed(info), *_details(error)]
    )
    return CallStatus(row.code, message, proto)


def _details(error: BaseException) -> list[Any]:
    if isinstance(error, InvalidRequestError):
        return [_bad_request(error.violations)]
    if isinstance(error, UnknownDomainError):
        known = ", ".join(error.known)
        return [_bad_request([FieldViolation("domain", f"unknown: choose one of {known}")])]
    if isinstance(error, StalePageTokenError):
        return [_bad_request([FieldViolation("page_token", str(error))])]
    if isinstance(error, InvalidDataError):
        return [_bad_request([FieldViolation(error.where, f"{error.problem}. {error.remedy}")])]
    if isinstance(error, OverloadedError):
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        return [_packed(error_details_pb2.RetryInfo(retry_delay=delay))]
    return []


def _bad_request(violations: Sequence[FieldViolation]) -> Any:
    told = list(violations[:MAX_VIOLATIONS])
    if len(violations) > len(told):
        more = len(violations) - len(told)
        told.append(FieldViolation("", f"{more} more violations were left out: mend these first"))
    return _packed(
        error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=clip(v.field, MAX_FIELD_BYTES),
                    description=clip(v.description, MAX_DESCRIPTION_BYTES),
                )
                for v in told
            ]
        )
    )


def clip(text: str, max_bytes: int) -> str:
    """The text, cut to so many bytes of UTF-8 with an ellipsis where it was longer."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= max_bytes:
        return raw.decode()
    return raw[: max_bytes - 3].decode("utf-8", "ignore") + "…"


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
