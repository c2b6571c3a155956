from __future__ import annotations

import grpc
from hypothesis import given
from hypothesis import strategies as st

from encore_client.batches import MAX_EVENTS, Batch, cut
from encore_client.errors import Failure, FieldViolation, InvalidRequestError
from encore_client.types import FeedbackEvent, FeedbackReceipt, Outcome, RejectedEvent

EVENT = FeedbackEvent("u", "o", Outcome.PLAY, event_id="e")


@given(st.integers(0, 3_500))
def test_cutting_keeps_every_event_in_its_place(n: int) -> None:
    batches = list(cut([EVENT] * n))
    assert [batch.offset for batch in batches] == list(range(0, n, MAX_EVENTS))
    assert sum(len(batch.events) for batch in batches) == n
    assert all(1 <= len(batch.events) <= MAX_EVENTS for batch in batches)


def test_cutting_reads_no_further_than_the_batch() -> None:
    read = iter([EVENT] * 2_500)
    next(cut(read))
    assert len(list(read)) == 1_500


def test_a_receipt_adds_up_and_its_rejected_indices_are_the_callers() -> None:
    before = FeedbackReceipt(accepted=998, duplicates=1, rejected=(RejectedEvent(7, "no"),))
    answer = FeedbackReceipt(accepted=3, rejected=(RejectedEvent(2, "why"),), model_version="m")
    assert Batch(1_000, ()).join(before, answer, "r") == FeedbackReceipt(
        accepted=1_001,
        duplicates=1,
        rejected=(RejectedEvent(7, "no"), RejectedEvent(1_002, "why")),
        model_version="m",
        request_id="r",
    )


def test_violations_name_the_callers_events() -> None:
    error = InvalidRequestError(
        Failure(
            "Feedback",
            grpc.StatusCode.INVALID_ARGUMENT,
            "bad",
            "r",
            violations=(FieldViolation("events[5].user_id", "x"), FieldViolation("domain", "y")),
        )
    )
    stored = FeedbackReceipt(accepted=1_000)
    related = Batch(1_000, ()).relate(error, stored)
    assert isinstance(related, InvalidRequestError)
    assert [each.field for each in related.violations] == ["events[1005].user_id", "domain"]
    assert related.failure.stored == stored
