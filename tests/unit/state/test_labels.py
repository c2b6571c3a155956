"""Labels: what counts as a return, and when a label is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.log import Outcome, TieRule
from core.state.arrays import ALL_LABELS, ALL_POSITIVES
from core.state.events import Event
from core.state.replay import Replay
from core.state.state import State
from core.testing_logs import HORIZON_S, SMALL_SCHEMA, new_state, random_tables


def labels(state: State) -> tuple[int, int]:
    """Matured labels and the positives among them."""
    totals = state.arrays.totals.numbers
    return int(totals[ALL_LABELS]), int(totals[ALL_POSITIVES])


def play(state: State, time_s: float, outcome: Outcome = Outcome.PLAY, obj: str = "o") -> None:
    state.update(Event("u", obj, outcome, time_s))


@pytest.mark.parametrize(
    ("returned_after_s", "label"),
    [(1.0, 1), (HORIZON_S - 1, 1), (HORIZON_S, 1), (HORIZON_S + 1, 0)],
)
def test_a_return_within_the_horizon_counts_up_to_its_very_end(
    returned_after_s: float, label: int
) -> None:
    state = new_state()
    play(state, 100.0)
    play(state, 100.0 + returned_after_s)
    state.advance(100.0 + HORIZON_S + 2)
    assert labels(state) == (1, label)


def test_a_label_is_known_when_its_horizon_has_closed_and_not_before() -> None:
    state = new_state()
    play(state, 0.0)
    play(state, 1.0)
    state.advance(HORIZON_S)
    assert labels(state) == (0, 0)
    state.advance(HORIZON_S + 0.001)
    assert labels(state) == (1, 1)


def test_playing_twice_in_one_moment_is_no_return() -> None:
    state = new_state()
    play(state, 5.0)
    play(state, 5.0)
    state.advance(1e6)
    assert labels(state) == (1, 0)


def test_rows_ordered_finer_than_the_clock_do_return_to_each_other() -> None:
    state = new_state(TieRule.ROW)
    play(state, 5.0)
    play(state, 5.0)
    state.advance(1e6)
    assert labels(state) == (1, 1)


@pytest.mark.parametrize("outcome", [Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE, Outcome.SKIP])
def test_reactions_are_no_returns_and_open_no_labels(outcome: Outcome) -> None:
    state = new_state()
    play(state, 0.0, outcome)
    play(state, 10.0)
    play(state, 20.0, outcome)
    state.advance(1e6)
    assert labels(state) == (1, 0)


def test_a_reaction_begins_a_moment_of_its_own() -> None:
    """The play at 7 returns to the play at 5 although a like stands between them."""
    state = new_state()
    play(state, 5.0)
    play(state, 7.0, Outcome.LIKE, "other")
    play(state, 7.0)
    state.advance(1e6)
    assert labels(state) == (1, 1)


def test_only_the_first_meeting_of_a_pair_opens_a_label() -> None:
    state = new_state()
    for time in (0.0, 10.0, 2 * HORIZON_S, 9 * HORIZON_S):
        play(state, time)
    state.advance(1e9)
    assert labels(state) == (1, 1)


def test_labels_open_at_the_end_of_a_log_stay_unknown() -> None:
    log = random_tables(2).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(len(log))
    replay.finish(log.time_s[-1])
    known = log.is_example & (log.matures_at_s <= log.time_s[-1])
    np.testing.assert_array_equal(replay.labels >= 0, known)
    replay.finish(log.time_s[-1] + 2 * HORIZON_S)
    np.testing.assert_array_equal(replay.labels >= 0, log.is_example)


def test_the_end_of_a_log_settles_the_labels_that_are_due_at_that_very_moment() -> None:
    tables = random_tables(2, n_events=2, n_users=2, n_objects=2, reactions=0.0)
    end = 1.6e9 + HORIZON_S
    events = tables.events.assign(time_s=[1.6e9, end], user_id="u", object_id="o")
    log = replace(tables, events=events.assign(is_example=[True, False])).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(len(log))
    assert replay.labels.tolist() == [-1, -1]
    replay.finish(end)
    assert replay.labels.tolist() == [1, -1]
    assert state.clock_s == end


def test_events_without_a_user_or_object_are_refused() -> None:
    state = new_state()
    for user, obj in (("", "o"), ("u", "")):
        with pytest.raises(ValueError, match="names no user"):
            state.update(Event(user, obj, Outcome.PLAY, 0.0))
    assert (len(state.users), len(state.objects)) == (0, 0)


def test_labels_of_a_stored_log_mature_live_without_a_log_to_report_to() -> None:
    log = random_tables(2).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(len(log))
    before = replay.labels.copy()
    state.advance(log.time_s[-1] + 2 * HORIZON_S)
    assert labels(state)[0] == log.is_example.sum()
    np.testing.assert_array_equal(replay.labels, before)


def test_a_second_log_does_not_take_the_labels_of_the_first_for_its_own() -> None:
    log = random_tables(2).log()
    state = new_state()
    arrays = state.log_arrays(log)
    Replay(state, arrays).run(len(log))
    second = Replay(state, state.log_arrays(log))
    second.finish(log.time_s[-1] + 2 * HORIZON_S)
    assert (second.labels == -1).all()
    assert labels(state)[0] == log.is_example.sum()


def test_the_tie_rule_is_stored(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = tmp_path_factory.mktemp("state")
    new_state(TieRule.ROW).save(store)
    assert State.load(SMALL_SCHEMA, store).tie_rule is TieRule.ROW
