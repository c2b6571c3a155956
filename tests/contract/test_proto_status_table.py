"""Every error that Encore raises on purpose has a status, and every status a reason of its own."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from core.errors import EncoreError
from server.deadline import DeadlineExceededError
from server.listening import PortTakenError
from server.status import STATUS, status_of
from server.store import StoreUnavailableError, StoreUrlError, StoreVersionError

NEVER_IN_A_CALL = {PortTakenError, StoreUrlError, StoreVersionError}
"""Raised before there are calls."""


def children(kind: type[EncoreError]) -> Iterator[type[EncoreError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith(("core.errors", "server.")):
            yield child
        yield from children(child)


def test_every_error_has_a_status() -> None:
    known = set(children(EncoreError))
    told = {kind for kind in known if STATUS.keys() & set(kind.__mro__)}
    assert known - told == NEVER_IN_A_CALL
    assert STATUS.keys() <= known
    assert DeadlineExceededError in STATUS


def test_a_store_out_of_reach_is_told_as_a_server_that_is_not_ready() -> None:
    assert status_of(StoreUnavailableError("away"), "r1").code is grpc.StatusCode.UNAVAILABLE


def test_every_reason_is_used_once_and_spelled_as_google_wants() -> None:
    reasons = [row.reason for row in STATUS.values()]
    assert len(set(reasons)) == len(reasons)
    assert all(reason.replace("_", "").isalpha() and reason.isupper() for reason in reasons)


def test_no_error_raised_on_purpose_is_internal() -> None:
    assert grpc.StatusCode.INTERNAL not in {row.code for row in STATUS.values()}
