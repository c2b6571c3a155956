"""Errors become statuses by one table, and always fit into the headers they travel in."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    CapabilityMissingError,
    EncoreError,
    FieldViolation,
    InvalidDataError,
    InvalidRequestError,
    NotReadyError,
    OverloadedError,
    StalePageTokenError,
    UnknownDomainError,
)
from server.deadline import DeadlineExceededError
from server.status import MAX_VIOLATIONS, CallStatus, clip, status_of

HEADER_BYTES = 8192
"""What clients accept by default."""


def details(status: CallStatus, kind: type) -> list[object]:
    found = []
    for packed in status.proto.details:
        message = kind()
        if packed.Unpack(message):
            found.append(message)
    return found


def violations(status: CallStatus) -> list[tuple[str, str]]:
    (bad,) = details(status, error_details_pb2.BadRequest)
    return [(v.field, v.description) for v in bad.field_violations]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequestError([FieldViolation("k", "bad")]), grpc.StatusCode.INVALID_ARGUMENT),
        (UnknownDomainError("x", ["music"]), grpc.StatusCode.INVALID_ARGUMENT),
        (StalePageTokenError("old"), grpc.StatusCode.INVALID_ARGUMENT),
        (CapabilityMissingError("no sound"), grpc.StatusCode.UNIMPLEMENTED),
        (NotReadyError("loading"), grpc.StatusCode.UNAVAILABLE),
        (OverloadedError(1.5), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (DeadlineExceededError("score"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (ValueError("secret"), grpc.StatusCode.INTERNAL),
        (EncoreError("a kind nobody listed"), grpc.StatusCode.INTERNAL),
    ],
)
def test_each_kind_of_error_has_its_code(error: Exception, code: grpc.StatusCode) -> None:
    assert status_of(error, "r1").code is code


def test_an_unlisted_error_tells_the_request_id_and_nothing_else() -> None:
    status = status_of(RuntimeError("password hunter2"), "r1")
    assert status.message == "internal error in request r1"
    assert b"hunter2" not in status.proto.SerializeToString()


def test_bad_fields_are_named() -> None:
    error = InvalidRequestError([FieldViolation("object_ids[3]", "is empty")])
    assert violations(status_of(error, "r1")) == [("object_ids[3]", "is empty")]


def test_a_sound_that_is_none_names_the_place() -> None:
    error = InvalidDataError("audio", "not a sound file", "Send wav.")
    assert violations(status_of(error, "r1")) == [("audio", "not a sound file. Send wav.")]


def test_a_full_waiting_line_says_when_to_come_back() -> None:
    (retry,) = details(status_of(OverloadedError(1.5), "r1"), error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToMilliseconds() == 1500  # type: ignore[attr-defined]


def test_programs_can_branch_on_the_reason() -> None:
    (info,) = details(status_of(StalePageTokenError("old"), "r1"), error_details_pb2.ErrorInfo)
    assert info.reason == "STALE_PAGE_TOKEN"  # type: ignore[attr-defined]
    assert info.metadata["request_id"] == "r1"  # type: ignore[attr-defined]


@given(st.text(min_size=1), st.sampled_from(["a", "é", "🎵", "\n"]))
def test_statuses_fit_into_headers_however_long_the_errors(text: str, letter: str) -> None:
    long = (text + letter) * 1_000
    every = [FieldViolation(long, long)] * 20
    for error in (InvalidRequestError(every), UnknownDomainError(long, [long])):
        status = status_of(error, "r" * 128)
        message_bytes = 3 * len(status.message.encode())
        details_bytes = -(-status.proto.ByteSize() * 4 // 3)
        assert message_bytes + details_bytes < HEADER_BYTES


def test_left_out_violations_are_counted() -> None:
    error = InvalidRequestError([FieldViolation(f"f{n}", "bad") for n in range(MAX_VIOLATIONS + 3)])
    told = violations(status_of(error, "r1"))
    assert len(told) == MAX_VIOLATIONS + 1
    assert told[-1][1].startswith("3 more")


@given(st.text(), st.integers(3, 50))
def test_clipped_text_is_never_longer_than_asked(text: str, max_bytes: int) -> None:
    assert len(clip(text, max_bytes).encode()) <= max_bytes
