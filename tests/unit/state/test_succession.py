"""What a user met next, the last time, equals what a slow walk over the log says."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.log import EventLog, Outcome, TieRule
from core.state.events import KINDS, Event
from core.state.replay import Replay
from core.state.state import NOBODY, State
from core.state.writing import INTERACTION
from core.testing_logs import SMALL_SCHEMA, event_of, new_state, random_tables


def state_after(played: str, user: str = "ann") -> State:
    """A letter an object, in the order in which they were played."""
    state = new_state()
    for time_s, obj in enumerate(played):
        state.update(Event(user, obj, Outcome.PLAY, float(time_s)))
    return state


def coming(state: State, user: str, limit: int = 100) -> list[str]:
    successors = state.successors(state.users.get(user), limit)
    return [state.objects.string(obj) for obj in successors.tolist()]


def test_an_album_played_again_goes_on_in_its_order() -> None:
    assert coming(state_after("abcdexa"), "ann") == ["b", "c", "d", "e", "x"]
    assert coming(state_after("abcdexab"), "ann", limit=2) == ["c", "d"]


def test_nothing_follows_what_was_met_for_the_first_time() -> None:
    assert coming(state_after("abc"), "ann") == []
    assert coming(new_state(), "ann") == []


def test_the_latest_succession_counts() -> None:
    assert coming(state_after("abxaca"), "ann") == ["c"]


def test_what_is_played_again_at_once_still_goes_on_after_it() -> None:
    assert coming(state_after("abcaa"), "ann") == ["b", "c"]


def test_a_succession_ends_where_it_would_begin_anew() -> None:
    # After b came c, and after c came b again.
    assert coming(state_after("abcbcxa"), "ann") == ["b", "c", "x"]
    assert coming(state_after("xabcbca"), "ann") == ["b", "c"]


def test_every_user_has_successions_of_their_own() -> None:
    state = state_after("abcxa")
    state.update(Event("bob", "a", Outcome.PLAY, 9.0))
    assert coming(state, "bob") == []
    assert coming(state, "ann") == ["b", "c", "x"]
    assert state.successors(NOBODY, 5).tolist() == []


def test_only_interactions_follow_each_other() -> None:
    state = state_after("ab")
    for outcome in (Outcome.LIKE, Outcome.SKIP, Outcome.DISLIKE):
        state.update(Event("ann", "z", outcome, 5.0))
    state.update(Event("ann", "c", Outcome.PLAY, 6.0))
    state.update(Event("ann", "a", Outcome.PLAY, 7.0))
    assert coming(state, "ann") == ["b", "c"]


def walked(log: EventLog, user: str) -> list[str]:
    """The successors by a dictionary over the whole log."""
    events = [event_of(log, row) for row in range(len(log))]
    met = [e.object_id for e in events if e.user_id == user and KINDS[e.outcome] == INTERACTION]
    after = {a: b for a, b in itertools.pairwise(met) if a != b}
    found: list[str] = []
    obj = after.get(met[-1]) if met else None
    while obj is not None and obj != met[-1] and obj not in found:
        found.append(obj)
        obj = after.get(obj)
    return found


@given(
    seed=st.integers(0, 10_000),
    n_events=st.integers(1, 150),
    tie_rule=st.sampled_from(TieRule),
    own_clock=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_replayed_log_and_live_updates_both_give_what_a_walk_over_the_log_gives(
    seed: int, n_events: int, tie_rule: TieRule, own_clock: bool
) -> None:
    log = random_tables(seed, n_events, tie_rule=tie_rule, own_clock=own_clock).log()
    replayed, live = new_state(tie_rule), new_state(tie_rule)
    Replay(replayed, replayed.log_arrays(log)).run(len(log))
    live.add_entities(log.users, log.objects, log.pools)
    for row in range(len(log)):
        live.update(event_of(log, row))
    for user in log.users.ids:
        assert coming(replayed, user) == coming(live, user) == walked(log, user)


def test_successions_survive_saving_and_go_on(tmp_path: Path) -> None:
    state = state_after("abc")
    state.save(tmp_path)
    loaded = State.load(SMALL_SCHEMA, tmp_path)
    for i in range(40):  # the tables grow
        loaded.update(Event("bob", f"later{i}", Outcome.PLAY, 40.0 + i))
    loaded.update(Event("ann", "a", Outcome.PLAY, 99.0))
    assert coming(loaded, "ann") == ["b", "c"]
