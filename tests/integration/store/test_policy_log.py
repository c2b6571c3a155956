"""The log from which policies are judged, read page by page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.log import Outcome
from core.policy.rewards import Response, ShownList, ShownSlot
from server.ports import NewFeedback, RecommendationRecord, ShownItem
from server.store import Store, policy_log


def record(recommendation_id: str, domain: str = "music") -> RecommendationRecord:
    items = (ShownItem("t1", 1, 0.5, 0.9, 50), ShownItem("t2", 2, 0.1, 0.01, 49, passed_over=0.4))
    return RecommendationRecord(recommendation_id, domain, "ann", "q1", "v1", 100.0, items, seed=1)


def event(event_id: str, recommendation_id: str = "", **said: object) -> NewFeedback:
    return replace(
        NewFeedback(event_id, "ann", "t1", Outcome.PLAY, recommendation_id=recommendation_id),
        **said,  # type: ignore[arg-type]
    )


def test_every_list_of_the_domain_comes_once_with_its_chances(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.recommendations.add(record(name))
    store.recommendations.add(record("d", domain="shopping"))
    slots = [ShownSlot("t1", 1, 0.5, 0.9, 50, None), ShownSlot("t2", 2, 0.1, 0.01, 49, 0.4)]
    assert sorted(store.policy_log.shown("music"), key=lambda page: page.recommendation_id) == [
        ShownList(name, "ann", 100.0, slots) for name in "abc"
    ]
    assert list(store.policy_log.shown("travel")) == []


def test_feedback_comes_in_the_order_of_the_log_if_it_names_a_list(store: Store) -> None:
    rows = [
        event("e1", "r1", occurred_at_s=50.0, outcome=Outcome.LIKE),
        event("e2"),
        event("e3", "r1", object_id="t2"),
    ]
    store.feedback.append("music", rows, clock_floor_s=0.0, now_s=70.0)
    store.feedback.append("shopping", [event("e4", "r1")], clock_floor_s=0.0, now_s=70.0)
    assert list(store.policy_log.responses("music")) == [
        Response("r1", "t1", Outcome.LIKE, 50.0),
        Response("r1", "t2", Outcome.PLAY, 70.0),
    ]


def test_reading_in_small_steps_reads_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_log, "_AT_ONCE", 1)
    monkeypatch.setattr(policy_log, "_SHOWN", policy_log._SHOWN.limit(1))
    monkeypatch.setattr(policy_log, "_RESPONSES", policy_log._RESPONSES.limit(1))
    for name in ("b", "a", "c"):
        store.recommendations.add(record(name))
    rows = [event(f"e{i}", f"r{i}") for i in range(3)]
    store.feedback.append("music", rows, clock_floor_s=0.0, now_s=70.0)
    assert [page.recommendation_id for page in store.policy_log.shown("music")] == ["a", "b", "c"]
    said = [response.recommendation_id for response in store.policy_log.responses("music")]
    assert said == ["r0", "r1", "r2"]
