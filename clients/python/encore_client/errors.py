"""What a call can raise: one class a kind of failure, each with all that the server said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2  # type: ignore[import-untyped, unused-ignore]
from grpc_status import rpc_status  # type: ignore[import-untyped, unused-ignore]

from encore_client.types import FeedbackReceipt


@dataclass(frozen=True)
class FieldViolation:
    """One thing wrong with one field of a request."""

    field: str
    """Path of the field, such as `object_ids[3]`."""
    description: str
    """What was wrong, what was got, what to do."""


@dataclass(frozen=True)
class Failure:
    """Everything known about a call that failed."""

    method: str
    """Name of the method, such as `Score`."""
    code: grpc.StatusCode
    message: str
    request_id: str
    """Give it to the operators: their logs carry it."""
    attempts: int = 1
    """How often the request was sent."""
    violations: tuple[FieldViolation, ...] = ()
    """What was wrong with the request, field by field."""
    retry_after_s: float | None = None
    """When the server asks to be called again, in seconds; None when it does not say."""
    stored: FeedbackReceipt | None = None
    """Of a feedback call that failed half-way: what its earlier batches stored."""


class EncoreClientError(Exception):
    """Root of what calls raise; also raised itself for codes without a class of their own."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        failure = self.failure
        wrong = "; ".join(f"{v.field}: {v.description}" for v in failure.violations)
        tries = "1 attempt" if failure.attempts == 1 else f"{failure.attempts} attempts"
        return (
            f"{failure.method} failed with {failure.code.name}: {failure.message}"
            f"{f' [{wrong}]' if wrong else ''} (request {failure.request_id}, {tries})"
        )

    @property
    def code(self) -> grpc.StatusCode:
        """Status code of the last attempt."""
        return self.failure.code

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """What was wrong with the request, field by field."""
        return self.failure.violations

    @property
    def retry_after_s(self) -> float | None:
        """When the server asks to be called again, in seconds; None when it does not say."""
        return self.failure.retry_after_s

    @property
    def request_id(self) -> str:
        """Id of the request in the server's logs."""
        return self.failure.request_id


class InvalidRequestError(EncoreClientError):
    """The request can never be answered; `violations` names the fields."""


class UnknownNameError(EncoreClientError):
    """The server serves no such domain or model."""


class UnsupportedError(EncoreClientError):
    """The domain does not offer what was asked."""


class NotAllowedError(EncoreClientError):
    """The credentials are missing, wrong, or not enough."""


class ServerUnavailableError(EncoreClientError):
    """No server could be reached, or none is ready; later may work."""


class OverloadedError(EncoreClientError):
    """The server has no room for the request; `retry_after_s` says when, if it knows."""


class DeadlineExceededError(EncoreClientError):
    """No answer came in time; a Feedback call may have been stored all the same."""


_ERROR_OF_CODE: dict[grpc.StatusCode, type[EncoreClientError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: UnknownNameError,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedError,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowedError,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowedError,
    grpc.StatusCode.UNAVAILABLE: ServerUnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
}


def error_of(failure: Failure) -> EncoreClientError:
    """Returns the error of the class that belongs to the failure's code."""
    return _ERROR_OF_CODE.get(failure.code, EncoreClientError)(failure)


def read_failure(error: grpc.RpcError, *, method: str, request_id: str, attempts: int) -> Failure:
    """Reads what the server said, its google.rpc details included; damaged details count as none.

    Args:
        error: As raised by a call of grpc or grpc.aio.
        method: Name of the method, for the message.
        request_id: Id under which the call was sent.
        attempts: How often the request was sent.
    """
    violations: list[FieldViolation] = []
    retry_after_s: float | None = None
    for detail in _details(error):
        if isinstance(detail, error_details_pb2.BadRequest):
            violations.extend(
                FieldViolation(violation.field, violation.description)
                for violation in detail.field_violations
            )
        elif isinstance(detail, error_details_pb2.RetryInfo):
            retry_after_s = max(0.0, detail.retry_delay.ToNanoseconds() / 1e9)
    return Failure(
        method=method,
        code=error.code(),
        message=error.details() or "",
        request_id=request_id,
        attempts=attempts,
        violations=tuple(violations),
        retry_after_s=retry_after_s,
    )


def _details(error: grpc.RpcError) -> Iterator[Message]:
    try:
        status = rpc_status.from_call(error)
        if status is None:
            return
        for packed in status.details:
            for kind in (error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
                detail = kind()
                if packed.Unpack(detail):
                    yield detail
    except (DecodeError, ValueError):
        # A proxy may rewrite the message and leave the details: the code still stands.
        return
