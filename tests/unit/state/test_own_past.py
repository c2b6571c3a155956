"""What the state says of a user's own past equals what a slow recount of the log says."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.log import EventLog, Outcome, TieRule
from core.state.arrays import PAST_HALF_LIVES
from core.state.events import KINDS, Event
from core.state.layout import shape_of
from core.state.own_past import OwnPast
from core.state.replay import Replay
from core.state.state import NOBODY, State
from core.state.writing import INTERACTION
from core.testing_logs import HORIZON_S, SMALL_SCHEMA, event_of, new_state, random_tables

HOUR_S, DAY_S = 3600.0, 86400.0
PARTS = [field.name for field in fields(OwnPast)]


def state_after(*events: tuple[str, str, Outcome, float]) -> State:
    state = new_state()
    for user, obj, outcome, time_s in events:
        state.update(Event(user, obj, outcome, time_s))
    return state


def indices(state: State, *names: str) -> NDArray[np.int32]:
    return np.array([state.objects.get(name) for name in names], np.int32)


def names(state: State, user: str) -> list[str]:
    own = state.own_objects(state.users.get(user))
    assert own.dtype == np.int32
    return [state.objects.string(obj) for obj in own.tolist()]


def test_own_objects_are_all_that_was_met_the_one_first_met_latest_first() -> None:
    state = state_after(
        ("ann", "a", Outcome.PLAY, 0.0),
        ("ann", "b", Outcome.PURCHASE, 1.0),
        ("bob", "a", Outcome.PLAY, 2.0),
        ("ann", "c", Outcome.REPLAY, 3.0),
        ("ann", "a", Outcome.PLAY, 4.0),
    )
    assert names(state, "ann") == ["c", "b", "a"]
    assert names(state, "bob") == ["a"]


def test_opinions_and_skips_are_no_meetings_until_an_interaction_comes() -> None:
    state = state_after(
        ("ann", "liked", Outcome.LIKE, 0.0),
        ("ann", "met", Outcome.PLAY, 1.0),
        ("ann", "skipped", Outcome.SKIP, 2.0),
        ("ann", "disliked", Outcome.DISLIKE, 3.0),
    )
    assert names(state, "ann") == ["met"]
    past = state.own_past(state.users.get("ann"), indices(state, "liked", "skipped"), 9.0)
    assert past.count.tolist() == [0, 0]
    assert np.isnan(past.since_last_s).all()
    state.update(Event("ann", "liked", Outcome.PLAY, 4.0))
    assert names(state, "ann") == ["liked", "met"]


def test_meetings_fade_by_the_longest_half_lives() -> None:
    state = state_after(
        ("ann", "a", Outcome.PLAY, 0.0),
        ("ann", "a", Outcome.PLAY, HOUR_S),
        ("ann", "a", Outcome.PLAY, 3 * HOUR_S),
        ("ann", "b", Outcome.PLAY, 3 * HOUR_S),
    )
    past = state.own_past(state.users.get("ann"), indices(state, "a", "b", "c"), 4 * HOUR_S)
    assert past.count.tolist() == [3, 1, 0]
    hourly = [2**-4 + 2**-3 + 2**-1, 2**-1, 0]
    daily = [2 ** (-4 / 24) + 2 ** (-3 / 24) + 2 ** (-1 / 24), 2 ** (-1 / 24), 0]
    np.testing.assert_allclose(past.decayed, np.column_stack([hourly, hourly, daily]), rtol=1e-6)
    np.testing.assert_equal(past.since_last_s, [HOUR_S, HOUR_S, np.nan])
    np.testing.assert_equal(past.mean_gap_s, [1.5 * HOUR_S, np.nan, np.nan])


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ((HOUR_S,), [HOUR_S, HOUR_S, HOUR_S]),
        ((DAY_S, HOUR_S), [HOUR_S, DAY_S, DAY_S]),
        ((HOUR_S, 9 * DAY_S, 60.0, DAY_S), [HOUR_S, DAY_S, 9 * DAY_S]),
    ],
)
def test_the_three_longest_half_lives_are_found_in_any_order(
    declared: tuple[float, ...], kept: list[float]
) -> None:
    schema = replace(SMALL_SCHEMA, half_lives_s=declared)
    assert shape_of(schema).past_half_lives.tolist() == kept
    state = State(schema, HORIZON_S, TieRule.ROW)
    state.update(Event("ann", "a", Outcome.PLAY, 0.0))
    past = state.own_past(1, indices(state, "a"), HOUR_S)
    np.testing.assert_allclose(past.decayed, [[2.0 ** (-HOUR_S / life) for life in kept]])


def test_times_are_those_of_the_users_own_clock() -> None:
    state = new_state()
    state.update(Event("ann", "a", Outcome.PLAY, 1000.0, user_time_s=1000.0))
    state.update(Event("ann", "a", Outcome.PLAY, 5000.0, user_time_s=1060.0))
    user, objects = state.users.get("ann"), indices(state, "a", "never")
    past = state.own_past(user, objects, 1100.0)
    assert (past.since_last_s[0], past.mean_gap_s[0]) == (40.0, 60.0)
    assert state.last_met_s(user, objects).tolist() == [1060.0, -math.inf]


def test_a_clock_that_goes_back_makes_no_time_negative_and_raises_no_count() -> None:
    state = new_state()
    for user_time in (1000.0, 400.0):
        state.update(Event("ann", "a", Outcome.PLAY, 1000.0, user_time_s=user_time))
    past = state.own_past(1, indices(state, "a"), 300.0)
    assert (past.since_last_s[0], past.mean_gap_s[0]) == (0.0, 0.0)
    assert past.decayed.tolist() == [[2.0] * PAST_HALF_LIVES]


def test_nobody_and_nothing_have_no_past() -> None:
    for state in (new_state(), state_after(("ann", "a", Outcome.PLAY, 0.0))):
        objects = np.array([NOBODY, 1], np.int32)
        assert state.own_objects(NOBODY).tolist() == []
        assert state.own_past(NOBODY, objects, 5.0).count.tolist() == [0, 0]
        assert state.last_met_s(NOBODY, objects).tolist() == [-math.inf] * 2
        assert len(state.own_past(1, objects[:0], 5.0).count) == 0
    assert state.own_past(1, objects, 5.0).count.tolist() == [0, 1]


def recounted(log: EventLog, user: str, objects: list[str], user_time_s: float) -> OwnPast:
    """The past by loops over the whole log; meetings happen in whole seconds since the origin."""
    meetings: dict[str, list[float]] = {name: [] for name in objects}
    for row in range(len(log)):
        event = event_of(log, row)
        if event.user_id == user and KINDS[event.outcome] == INTERACTION:
            assert event.user_time_s is not None
            meetings[event.object_id].append(math.floor(event.user_time_s - log.time_s[0]))
    now = user_time_s - log.time_s[0]
    lives = shape_of(SMALL_SCHEMA).past_half_lives
    times = list(meetings.values())
    return OwnPast(
        np.array([len(t) for t in times]),
        np.array([[sum(2.0 ** ((s - now) / life) for s in t) for life in lives] for t in times]),
        np.array([now - t[-1] if t else np.nan for t in times]),
        np.array([(t[-1] - t[0]) / (len(t) - 1) if len(t) > 1 else np.nan for t in times]),
    )


def chain(log: EventLog, user: str) -> list[str]:
    """The user's objects by first meeting, the latest first."""
    events = [event_of(log, row) for row in range(len(log))]
    met = [e.object_id for e in events if e.user_id == user and KINDS[e.outcome] == INTERACTION]
    return list(dict.fromkeys(met))[::-1]


@given(
    seed=st.integers(0, 10_000),
    n_events=st.integers(1, 150),
    tie_rule=st.sampled_from(TieRule),
    own_clock=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_replayed_log_and_live_updates_both_give_what_a_recount_gives(
    seed: int, n_events: int, tie_rule: TieRule, own_clock: bool
) -> None:
    log = random_tables(seed, n_events, tie_rule=tie_rule, own_clock=own_clock).log()
    replayed, live = new_state(tie_rule), new_state(tie_rule)
    Replay(replayed, replayed.log_arrays(log)).run(len(log))
    live.add_entities(log.users, log.objects, log.pools)
    for row in range(len(log)):
        live.update(event_of(log, row))
    objects, now = list(log.objects.ids), float(max(log.time_s[-1], log.user_time_s.max())) + 7.0
    for name in log.users.ids:
        pasts = []
        for state in (replayed, live):
            user = state.users.get(name)
            assert names(state, name) == chain(log, name)
            pasts.append(state.own_past(user, indices(state, *objects), now))
        expected = recounted(log, name, objects, now)
        for part in PARTS:
            of_replay, of_updates = (getattr(past, part) for past in pasts)
            np.testing.assert_array_equal(of_replay, of_updates)
            np.testing.assert_allclose(of_replay, getattr(expected, part), rtol=1e-5)


def test_the_past_survives_saving_and_goes_on(tmp_path: Path) -> None:
    state = state_after(("ann", "a", Outcome.PLAY, 0.0), ("ann", "b", Outcome.PLAY, 10.0))
    state.save(tmp_path)
    loaded = State.load(SMALL_SCHEMA, tmp_path)
    for either in (state, loaded):
        either.update(Event("ann", "a", Outcome.PLAY, 30.0))
        for i in range(40):  # the tables grow
            either.update(Event("ann", f"later{i}", Outcome.PLAY, 40.0 + i))
    assert names(loaded, "ann") == [f"later{i}" for i in range(39, -1, -1)] + ["b", "a"]
    objects = np.arange(state.objects.end, dtype=np.int32)
    got, expected = loaded.own_past(1, objects, 99.0), state.own_past(1, objects, 99.0)
    for part in PARTS:
        np.testing.assert_array_equal(getattr(got, part), getattr(expected, part))
