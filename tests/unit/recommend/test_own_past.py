"""The user's own past: proposed by how often and how lately, scored for any object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.log import Outcome
from core.recommend.contracts import Query, Scoring
from core.recommend.sources.own_past import OwnPast
from core.state.events import Event
from core.state.state import NOBODY, State

Asked = Callable[..., Query]
HOUR_S, DAY_S = 3600.0, 86400.0
SOURCE = OwnPast()


def proposed(query: Query, limit: int = 100) -> list[tuple[str, str]]:
    proposals = SOURCE.propose(query, limit)
    assert proposals.objects.dtype == np.int32
    names = [query.state.objects.string(obj) for obj in proposals.objects.tolist()]
    return list(zip(names, proposals.reasons, strict=True))


def index(query: Query, *names: str) -> NDArray[np.int32]:
    return np.array([query.state.objects.get(name) for name in names], np.int32)


def said(query: Query, *names: str) -> dict[str, list[float]]:
    """Column -> what is said of each object."""
    scores = SOURCE.scores(query, index(query, *names))
    assert scores.shape == (len(names), len(SOURCE.columns))
    assert scores.dtype == np.float32
    return dict(zip(SOURCE.columns, scores.T.tolist(), strict=True))


def play(state: State, user: str, **times_s: tuple[float, ...]) -> None:
    """Meetings of the user with objects, object=(moments), in the order of time."""
    for time_s, obj in sorted((t, obj) for obj, times in times_s.items() for t in times):
        state.update(Event(user, obj, Outcome.PLAY, time_s))


def test_what_is_met_most_often_comes_first_and_says_so(state: State, asked: Asked) -> None:
    play(state, "gus", a1=(20.0,), b1=(21.0, 22.0, 23.0), b2=(24.0, 25.0))
    expected = [("b1", "met 3 times"), ("b2", "met 2 times"), ("a1", "met once")]
    assert proposed(asked("gus", now_s=30.0)) == expected
    assert proposed(asked("gus", now_s=30.0), limit=2) == expected[:2]


def test_meetings_of_long_ago_weigh_less_than_those_of_late(state: State, asked: Asked) -> None:
    play(state, "gus", a1=(20.0, 21.0, 22.0), b1=(3 * DAY_S,))
    # Three days are three half-lives: 3/8 of a meeting are left.
    names = [name for name, _ in proposed(asked("gus", now_s=3 * DAY_S))]
    assert names == ["b1", "a1"]


def test_what_was_met_just_now_stands_beside_what_is_met_all_the_time(
    state: State, asked: Asked
) -> None:
    # By the day alone b1 would come last; of what the last hour holds it is all.
    play(state, "gus", a1=(20.0, 21.0, 22.0), a2=(23.0, 24.0), b1=(DAY_S,))
    names = [name for name, _ in proposed(asked("gus", now_s=DAY_S))]
    assert names == ["b1", "a1", "a2"]


def test_ties_go_to_the_latest_meeting_and_then_to_the_index(state: State, asked: Asked) -> None:
    # What lies so far back that nothing of it is left is ordered by when it was met.
    play(state, "gus", b2=(20.0,), a1=(20.0,), b1=(25.0,))
    names = [name for name, _ in proposed(asked("gus", now_s=2000 * DAY_S))]
    assert names == ["b1", "a1", "b2"]


def test_only_interactions_are_proposed_and_a_new_user_gets_nothing(
    state: State, asked: Asked
) -> None:
    state.update(Event("gus", "a1", Outcome.LIKE, 20.0))
    state.update(Event("gus", "b1", Outcome.SKIP, 21.0))
    assert proposed(asked("gus")) == []
    assert proposed(asked("nobody has heard of me")) == []


def test_a_pool_is_searched_and_not_only_filtered(asked: Asked) -> None:
    assert {name for name, _ in proposed(asked("bob"))} == {"a1", "a2", "b1"}
    assert [name for name, _ in proposed(asked("bob", pool="free"))] == ["b1", "a2"]
    assert len(proposed(asked("bob", pool="free"), limit=1)) == 1


def test_the_columns_say_how_often_how_lately_and_in_which_rhythm(
    state: State, asked: Asked
) -> None:
    assert isinstance(SOURCE, Scoring)
    # Seconds count from the state's origin, at 0; the half-lives are an hour, twice, and a day.
    play(state, "gus", a1=(DAY_S, DAY_S + HOUR_S, DAY_S + 2 * HOUR_S), b1=(DAY_S + HOUR_S,))
    columns = said(asked("gus", now_s=DAY_S + 3 * HOUR_S), "a1", "b1", "n1")
    hourly = (2**-3 + 2**-2 + 2**-1, 2**-2)
    daily = (_daily(3, 2, 1), _daily(2))
    expected = {
        "own_count": [np.log1p(3), np.log1p(1), 0],
        "own_decayed_0": [*np.log1p(hourly), 0],
        "own_decayed_1": [*np.log1p(hourly), 0],
        "own_decayed_2": [*np.log1p(daily), 0],
        "own_share": [*(np.array(daily) / sum(daily)), 0],
        "own_since_last_log": [np.log1p(HOUR_S), np.log1p(2 * HOUR_S), np.nan],
        "own_rhythm": [0, np.nan, np.nan],
        "own_place": [0, np.log1p(1), np.nan],
    }
    assert tuple(expected) == SOURCE.columns
    for name, values in expected.items():
        np.testing.assert_allclose(columns[name], values, rtol=1e-5, err_msg=name)


def _daily(*hours_ago: float) -> float:
    return float(sum(2.0 ** (-hours / 24) for hours in hours_ago))


def test_two_meetings_within_one_second_have_a_rhythm_without_infinities(
    state: State, asked: Asked
) -> None:
    play(state, "gus", a1=(20.0, 20.4))
    rhythm = said(asked("gus", now_s=23.0), "a1")["own_rhythm"]
    assert rhythm == pytest.approx([np.log1p(3.0)])


def test_what_is_said_of_an_object_does_not_depend_on_the_others(asked: Asked) -> None:
    query = asked("bob")
    objects = index(query, "b1", "n1", "a1", "a3", "b1")
    together = SOURCE.scores(query, objects)
    for i in range(len(objects)):
        np.testing.assert_array_equal(SOURCE.scores(query, objects[i : i + 1]), together[i : i + 1])
    assert SOURCE.scores(query, objects[:0]).shape == (0, len(SOURCE.columns))


def test_a_stranger_and_an_unknown_object_get_zero_counts_and_no_times(asked: Asked) -> None:
    query = asked("nobody has heard of me")
    scores = SOURCE.scores(query, np.array([NOBODY, 1, 2], np.int32))
    np.testing.assert_array_equal(scores, [[0, 0, 0, 0, 0, np.nan, np.nan, np.nan]] * 3)


def test_times_are_read_on_the_users_own_clock(state: State, asked: Asked) -> None:
    state.update(Event("gus", "a1", Outcome.PLAY, 9 * DAY_S, user_time_s=100.0))
    query = replace(asked("gus", now_s=9 * DAY_S), user_now_s=150.0)
    assert said(query, "a1")["own_since_last_log"] == pytest.approx([np.log1p(50.0)])
