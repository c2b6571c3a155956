"""Labels of lists: what a user takes after a moment, no sooner and no later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.lists.visits import SESSION_S
from core.log import ClockKind, EventLog
from core.ranking.futures import Futures
from tests.unit.lists.list_logs import log_of

EVENTS = [
    ("ann", "a", 0.0),
    ("bob", "a", 1.0),
    ("ann", "b", 2.0),
    ("ann", "c", 5.0),
    ("bob", "b", 6.0),
    ("ann", "a", 7.0),
    ("ann", "c", 7.0),
    ("bob", "c", 9.0),
]
ANN, BOB = 0, 1


def named(log: EventLog, objects: np.ndarray) -> list[str]:
    return [log.objects.ids[i] for i in objects.tolist()]


def day(number: float) -> float:
    return number * SESSION_S


def test_nothing_before_the_moment_and_nothing_of_others_counts() -> None:
    log = log_of(EVENTS)
    futures = Futures.of(log)
    assert named(log, futures.taken(ANN, 3, day(100))) == ["a", "c"]
    assert named(log, futures.taken(BOB, 3, day(100))) == ["b", "c"]
    assert named(log, futures.taken(ANN, 7, day(100))) == []


def test_what_is_taken_at_the_very_end_of_the_horizon_counts_and_later_does_not() -> None:
    log = log_of(EVENTS)
    futures = Futures.of(log)
    assert named(log, futures.taken(ANN, 2, day(5))) == ["b", "c"]
    assert named(log, futures.taken(ANN, 2, day(5) - 1.0)) == ["b"]


def test_only_interactions_are_taken() -> None:
    outcomes = ["play", "play", "skip", "like", "dislike", "play", "play", "play"]
    log = log_of(EVENTS, outcomes=outcomes)
    futures = Futures.of(log)
    assert named(log, futures.taken(ANN, 1, day(6))) == []
    assert named(log, futures.taken(ANN, 1, day(7))) == ["a", "c"]
    assert futures.active(1).tolist() == [ANN]


def test_users_are_active_once_they_have_taken_something() -> None:
    futures = Futures.of(log_of(EVENTS))
    assert futures.active(0).tolist() == []
    assert futures.active(1).tolist() == [ANN]
    assert futures.active(2).tolist() == [ANN, BOB]


def test_a_real_clock_says_now_by_the_log_and_knows_all_up_to_its_end() -> None:
    futures = Futures.of(log_of(EVENTS))
    assert futures.now_s(BOB, 3) == day(5)
    assert futures.end_s.tolist() == [day(9), day(9)]


def in_sessions() -> EventLog:
    """Ann's sessions begin at her days 0, 1, 2 and 3, Bob's at his days 10, 11 and 12."""
    log = log_of(EVENTS)
    own = [0.0, 10.0, 1.0, 2.0, 11.0, 3.0, 3.001, 12.0]
    return replace(log, clock=ClockKind.SESSIONS, user_time_s=np.array(own) * SESSION_S)


def test_where_clocks_count_sessions_the_next_session_is_about_to_begin() -> None:
    futures = Futures.of(in_sessions())
    assert futures.now_s(ANN, 3) == day(2)
    assert futures.now_s(BOB, 3) == day(11)


def test_the_next_session_begins_after_the_one_that_is_under_way() -> None:
    futures = Futures.of(in_sessions())
    assert futures.next_session(ANN, 2) == 2
    assert futures.next_session(ANN, 3) == 3
    assert futures.next_session(BOB, 3) == 4
    # The fourth session's second event is no begin.
    assert futures.next_session(ANN, 4) == 5


def test_sessions_count_whole_and_the_one_that_begins_at_the_end_does_not() -> None:
    log = in_sessions()
    futures = Futures.of(log)
    now_s = futures.now_s(ANN, 3)
    assert named(log, futures.taken(ANN, 3, now_s + day(1))) == ["c"]
    # The fourth session has two events, at moments of their own.
    assert named(log, futures.taken(ANN, 3, now_s + day(2))) == ["a", "c"]
    assert named(log, futures.taken(ANN, 5, futures.now_s(ANN, 5) + day(1))) == ["a", "c"]


def test_a_users_own_last_session_is_all_that_is_known_of_them() -> None:
    assert Futures.of(in_sessions()).end_s.tolist() == [day(4), day(13)]
