"""Feedback over the wire: durable, counted once, and in the state before the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.log import Outcome
from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.ports import NewFeedback
from server.testing import (
    FakeEngine,
    Parts,
    RunningServer,
    bad_fields,
    refused,
    running_server,
)

NOW_S = 1_700_000_000


@pytest.fixture
def encore() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


def event(event_id: str, object_id: str = "t01", **fields: object) -> pb.FeedbackEvent:
    fields = {"user_id": "ann", "outcome": common_pb.OUTCOME_PLAY, **fields}
    return pb.FeedbackEvent(event_id=event_id, object_id=object_id, **fields)  # type: ignore[arg-type]


def send(encore: RunningServer, *events: pb.FeedbackEvent) -> pb.FeedbackResponse:
    return encore.api.Feedback(pb.FeedbackRequest(domain="music", events=events))


def test_events_are_stored_and_applied_before_the_answer(encore: RunningServer) -> None:
    reply = send(encore, event("e1"), event("e2", "t02"))
    assert (reply.accepted, reply.duplicates, len(reply.rejected)) == (2, 0, 0)
    assert [row.object_id for row in encore.parts.feedback.rows["music"]] == ["t01", "t02"]
    assert encore.parts.engine.watermark == 2


def test_an_event_counts_once_however_often_it_is_sent(encore: RunningServer) -> None:
    send(encore, event("e1"))
    reply = send(encore, event("e1"), event("e2"), event("e2"))
    assert (reply.accepted, reply.duplicates) == (1, 2)
    assert [row.sequence for row in encore.parts.engine.applied] == [1, 2]


def test_bad_events_are_rejected_alone_and_the_others_count(encore: RunningServer) -> None:
    reply = send(
        encore,
        event("e0", outcome=0),
        event("e1"),
        event("e2", value=float("nan")),
        event("e3", outcome=common_pb.OUTCOME_PURCHASE),
        event("e4", context={"source_tba": "home"}),
        event("e5", "t05"),
    )
    assert reply.accepted == 2
    assert {r.index: r.reason.split(":")[0] for r in reply.rejected} == {
        0: "outcome",
        2: "value",
        3: "outcome",
        4: 'context["source_tba"]',
    }


def test_a_rejected_event_may_be_mended_and_sent_again(encore: RunningServer) -> None:
    assert len(send(encore, event("e1", outcome=99)).rejected) == 1
    assert send(encore, event("e1")).accepted == 1


def test_a_call_of_bad_events_only_is_answered_and_stores_nothing(encore: RunningServer) -> None:
    reply = send(encore, event(""), event("x" * 200))
    assert [r.index for r in reply.rejected] == [0, 1]
    assert encore.parts.feedback.rows["music"] == []


def test_late_events_count_as_of_the_logs_clock_which_never_goes_back(
    encore: RunningServer,
) -> None:
    send(encore, event("e1"))
    send(encore, event("e2", occurred_at={"seconds": NOW_S - 5000}))
    encore.parts.clock.now_s += 60
    send(encore, event("e3", occurred_at={"seconds": NOW_S + 30}))
    assert [row.log_time_s for row in encore.parts.engine.applied] == [NOW_S, NOW_S, NOW_S + 30]


def test_a_caller_whose_clock_is_a_little_ahead_is_forgiven(encore: RunningServer) -> None:
    assert send(encore, event("e1", occurred_at={"seconds": NOW_S + 300})).accepted == 1
    assert encore.parts.engine.clock_s == NOW_S


def test_an_event_from_the_future_is_rejected(encore: RunningServer) -> None:
    reply = send(encore, event("e1", occurred_at={"seconds": NOW_S + 301}))
    assert reply.rejected[0].reason.startswith("occurred_at: lies 301 s in the future")


def test_no_event_lies_before_what_the_state_has_seen() -> None:
    engine = FakeEngine(clock_s=NOW_S + 1000.0)
    with running_server(Parts(engines={"music": engine})) as encore:
        send(encore, event("e1"))
    assert engine.applied[0].log_time_s == NOW_S + 1000


@pytest.mark.parametrize("count", [0, 1001])
def test_a_call_holds_one_to_a_thousand_events(encore: RunningServer, count: int) -> None:
    error = refused("INVALID_ARGUMENT", lambda: send(encore, *[event("e")] * count))
    assert list(bad_fields(error)) == ["events"]


def test_on_start_the_state_catches_up_before_serving() -> None:
    parts = Parts()
    rows = [NewFeedback(f"e{n}", "ann", "t20", Outcome.PLAY) for n in range(3)]
    parts.feedback.append("music", rows, 0.0, float(NOW_S))
    with running_server(parts) as encore:
        assert parts.engine.watermark == 3
        assert encore.metric("encore_feedback_watermark", domain="music") == 3


def test_what_another_replica_stored_is_followed() -> None:
    one = Parts()
    other = Parts(
        settings=one.settings.model_copy(update={"tail_poll_s": 0.01}), feedback=one.feedback
    )
    with running_server(one) as first, running_server(other):
        send(first, event("e1"))
        other.engine.wait_for_watermark(1)
    assert other.engine.applied == one.engine.applied


def test_events_are_counted_by_what_became_of_them(encore: RunningServer) -> None:
    send(encore, event("e1"), event("e1"), event("e2", outcome=55), event("e3", value=1e400))
    count = "encore_feedback_events_total"
    assert encore.metric(count, outcome="play", result="accepted") == 1
    assert encore.metric(count, outcome="play", result="duplicate") == 1
    assert encore.metric(count, outcome="invalid", result="rejected") == 2
