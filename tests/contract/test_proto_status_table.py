"""Every error that Encore raises on purpose has a status, and every status a reason of its own."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from core.errors import EncoreError
from server.deadline import DeadlineExceededError
from server.listening import PortTakenError
from server.status import STATUS
from server.store.errors import StoreUrlError, StoreVersionError

NEVER_IN_A_CALL = {PortTakenError, StoreUrlError, StoreVersionError}
"""Raised before there are calls."""


def children(kind: type[EncoreError]) -> Iterator[type[EncoreError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith(("core.errors", "server.")):
            yield child
        yield from children(child)


def test_every_error_has_a_status() -> None:
    assert set(children(EncoreError)) - NEVER_IN_A_CALL == set(STATUS)
    assert DeadlineExceededError in STATUS


def test_every_reason_is_used_once_and_spelled_as_google_wants() -> None:
    reasons = [row.reason for row in STATUS.values()]
    assert len(set(reasons)) == len(reasons)
    assert all(reason.replace("_", "").isalpha() and reason.isupper() for reason in reasons)


def test_no_error_raised_on_purpose_is_internal() -> None:
    assert grpc.StatusCode.INTERNAL not in {row.code for row in STATUS.values()}
