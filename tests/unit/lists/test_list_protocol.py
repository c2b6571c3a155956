"""How a log is cut: what is history, what is the next visit, what was had before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidRequestError, NotEnoughDataError
from core.lists.protocol import (
    ListTask,
    Mode,
    TargetKind,
    cut_lists,
    cut_of,
    earlier_task,
    history_log,
)
from core.log import EventLog
from domains.music.readers import sessions
from tests.unit.lists.list_logs import DAY_S, log_of


def sessions_of(directory: Path, lines: list[str]) -> EventLog:
    (directory / "sessions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sessions.read(directory)


def named(task: ListTask, kind: TargetKind, user: str, mode: Mode = Mode.ALL) -> set[str]:
    position = task.users.tolist().index(task.log.users.ids.index(user))
    objects = task.targets[kind].within(mode).of(position)
    return {task.log.objects.ids[index] for index in objects}


def history_of(task: ListTask, user: str) -> list[str]:
    log = history_log(task)
    own = log.user_index == log.users.ids.index(user)
    return [log.objects.ids[index] for index in log.object_index[own]]


BASKETS = [
    ("ann", "milk", 0.0),
    ("ann", "bread", 0.0),
    ("ann", "milk", 5.0),
    ("ann", "eggs", 5.0),
    ("bob", "milk", 6.0),
    ("bob", "salt", 6.0),
    ("ann", "milk", 10.0),
    ("ann", "jam", 10.0),
    ("ann", "bread", 10.01),
    ("ann", "tea", 10.01),
    ("bob", "milk", 19.0),
    ("bob", "rice", 19.0),
    ("ann", "salt", 21.0),
    ("ann", "rice", 21.0),
]


def test_the_next_visit_is_one_basket_even_if_another_follows_in_a_quarter_of_an_hour() -> None:
    task = cut_lists(log_of(BASKETS), 8.0 * DAY_S)

    assert named(task, TargetKind.NEXT, "ann") == {"milk", "jam"}


def test_the_horizon_holds_what_follows_within_the_label_rule() -> None:
    task = cut_lists(log_of(BASKETS), 8.0 * DAY_S)

    assert named(task, TargetKind.HORIZON, "ann") == {"milk", "jam", "bread", "tea"}
    assert named(task, TargetKind.HORIZON, "bob") == set()
    assert named(task, TargetKind.NEXT, "bob") == {"milk", "rice"}


def test_modes_part_what_the_user_had_from_what_is_new_to_the_user() -> None:
    task = cut_lists(log_of(BASKETS), 8.0 * DAY_S)

    assert named(task, TargetKind.HORIZON, "ann", Mode.REPEAT) == {"milk", "bread"}
    assert named(task, TargetKind.HORIZON, "ann", Mode.EXPLORE) == {"jam", "tea"}


def test_a_moment_at_the_cut_is_a_target_as_a_whole() -> None:
    task = cut_lists(log_of(BASKETS), 10.0 * DAY_S)

    assert history_of(task, "ann") == ["milk", "bread", "milk", "eggs"]
    assert named(task, TargetKind.NEXT, "ann") == {"milk", "jam"}


def test_without_baskets_a_visit_ends_with_a_pause_of_half_an_hour() -> None:
    minute = 1.0 / 1440.0
    log = log_of([("ann", "a", 0.0), *(("ann", f"t{i}", 5 + i * 20 * minute) for i in range(4))])
    late = log_of(
        [("ann", "a", 0.0), ("ann", "b", 5.0), ("ann", "c", 5 + 20 * minute), ("ann", "d", 5.1)]
    )

    assert named(cut_lists(log, 4.0 * DAY_S), TargetKind.NEXT, "ann") == {"t0", "t1", "t2", "t3"}
    assert named(cut_lists(late, 4.0 * DAY_S), TargetKind.NEXT, "ann") == {"b", "c"}


def test_only_users_with_events_on_both_sides_are_judged() -> None:
    log = log_of([("early", "a", 0.0), ("both", "a", 0.0), ("both", "b", 5.0), ("late", "a", 5.0)])

    task = cut_lists(log, 3.0 * DAY_S)

    assert [log.users.ids[user] for user in task.users] == ["both"]


def test_reactions_are_history_but_neither_visits_nor_targets() -> None:
    log = log_of(
        [("ann", "a", 0.0), ("ann", "b", 1.0), ("ann", "b", 5.0), ("ann", "c", 6.0)],
        outcomes=["play", "dislike", "dislike", "play"],
    )

    task = cut_lists(log, 3.0 * DAY_S)

    assert history_of(task, "ann") == ["a", "b"]
    assert task.visits.tolist() == [0, -1]
    assert named(task, TargetKind.NEXT, "ann") == {"c"}


@pytest.fixture
def ten_sessions(tmp_path: Path) -> EventLog:
    """Ann has 7 sessions, 5.6 of them gone by at the cut; bob's 10 are cut at a boundary."""
    ann = [f"ann,x,a{i},a{i}" for i in range(7)]
    bob = [f"bob,x,b{i}" for i in range(10)]
    return sessions_of(tmp_path, [*ann, *bob])


def test_a_share_of_sessions_is_rounded_down_to_whole_sessions(ten_sessions: EventLog) -> None:
    task = cut_lists(ten_sessions, cut_of(ten_sessions, "0.8"))

    assert history_of(task, "ann")[-3:] == ["x", "a4", "a4"]
    assert history_of(task, "bob")[-2:] == ["x", "b7"]
    assert named(task, TargetKind.NEXT, "ann") == {"x", "a5"}
    assert named(task, TargetKind.NEXT, "bob") == {"x", "b8"}
    assert (ten_sessions.time_s[task.history] < task.cut_s).all()


def test_the_horizon_of_sessions_is_the_next_five(ten_sessions: EventLog) -> None:
    task = cut_lists(ten_sessions, cut_of(ten_sessions, "0.3"))

    assert named(task, TargetKind.HORIZON, "bob") == {"x", "b3", "b4", "b5", "b6", "b7"}


def test_visits_of_sessions_are_sessions(ten_sessions: EventLog) -> None:
    task = cut_lists(ten_sessions, cut_of(ten_sessions, "0.8"))
    log = history_log(task)
    own: NDArray[np.bool_] = log.user_index == log.users.ids.index("ann")

    assert task.visits[own].tolist() == np.repeat(np.arange(5), 3).tolist()


def test_an_earlier_task_sees_nothing_after_the_cut(ten_sessions: EventLog) -> None:
    task = cut_lists(log_of(BASKETS, horizon_days=4.0), 20.0 * DAY_S)
    earlier = earlier_task(task)

    assert earlier.cut_s == 16.0 * DAY_S
    assert named(earlier, TargetKind.NEXT, "bob") == {"milk", "rice"}
    assert len(earlier.users) == 1  # ann's next visit is after the task's own cut

    of_sessions = earlier_task(cut_lists(ten_sessions, cut_of(ten_sessions, "0.8")))
    assert history_of(of_sessions, "bob")[-1] == "b5"  # the share 0.64 of ten
    assert named(of_sessions, TargetKind.HORIZON, "bob") == {"x", "b6", "b7"}


def test_an_earlier_cut_leaves_half_of_the_past_to_learn_from() -> None:
    task = cut_lists(log_of(BASKETS, horizon_days=100.0), 20.0 * DAY_S)

    assert earlier_task(task).cut_s == 10.0 * DAY_S


def test_a_cut_is_a_share_or_a_number_of_days() -> None:
    log = log_of([("ann", "a", 3.0), ("ann", "b", 13.0)])

    assert cut_of(log, "0.8") == pytest.approx(11.0 * DAY_S)
    assert cut_of(log, "8d") == pytest.approx(11.0 * DAY_S)


@pytest.mark.parametrize("text", ["", "1.5", "0", "yesterday", "d", "11d", "0d", "nan"])
def test_other_cuts_are_refused_by_name(text: str) -> None:
    log = log_of([("ann", "a", 3.0), ("ann", "b", 13.0)])

    with pytest.raises(InvalidRequestError, match="--cut"):
        cut_of(log, text)


def test_a_cut_that_leaves_no_user_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="both before and after"):
        cut_lists(log_of([("ann", "a", 0.0), ("bob", "a", 9.0)]), 5.0 * DAY_S)
