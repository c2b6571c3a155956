from __future__ import annotations

import pickle

import grpc
import pytest
from grpc import aio

from encore_client.errors import (
    EncoreClientError,
    Failure,
    FieldViolation,
    InvalidRequestError,
    error_of,
    read_failure,
)


def failure(code: grpc.StatusCode) -> Failure:
    return Failure(
        method="Score",
        code=code,
        message="bad",
        request_id="r-1",
        violations=(FieldViolation("object_ids[3]", "is empty"),),
    )


def test_the_message_says_what_was_wrong_with_which_field_and_under_which_id() -> None:
    error = error_of(failure(grpc.StatusCode.INVALID_ARGUMENT))
    assert isinstance(error, InvalidRequestError)
    assert str(error) == (
        "Score failed with INVALID_ARGUMENT: bad [object_ids[3]: is empty] (request r-1, 1 attempt)"
    )


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_code_is_an_error_of_the_family_that_survives_a_pickle(code: grpc.StatusCode) -> None:
    error = error_of(failure(code))
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(error, EncoreClientError)
    assert type(copy) is type(error)
    assert copy.failure == error.failure


@pytest.mark.parametrize("details", [b"\xff\xff", b"\x08\x03"])
def test_damaged_details_leave_code_and_message(details: bytes) -> None:
    damaged = aio.AioRpcError(
        grpc.StatusCode.INVALID_ARGUMENT,
        aio.Metadata(),
        aio.Metadata(("grpc-status-details-bin", details)),
        "bad",
    )
    read = read_failure(damaged, method="Score", request_id="r-1", attempts=1)
    assert (read.code, read.message) == (grpc.StatusCode.INVALID_ARGUMENT, "bad")
    assert read.violations == ()
