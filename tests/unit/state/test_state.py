"""What the state answers about strangers, long spans of time, attributes and pairs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.log import Outcome, TieRule
from core.schema import Field, Kind
from core.state.arithmetic import whole_s
from core.state.arrays import RECENT
from core.state.events import Event
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.state import NOBODY, State
from core.testing_logs import (
    HORIZON_S,
    SMALL_SCHEMA,
    context_of,
    event_of,
    new_state,
    random_tables,
)

YEAR_S = 365.25 * 86400.0


def ask(
    state: State,
    user: int = NOBODY,
    objects: tuple[int, ...] = (NOBODY,),
    context: dict[str, str] | None = None,
    time_s: float = 0.0,
    attributes: dict[str, str | float] | None = None,
) -> list[dict[str, float]]:
    """Numbers and codes of each candidate by name."""
    columns = state.columns
    batch = state.features(
        user, np.array(objects, np.int32), context or {}, time_s, columns, attributes
    )
    names = [c.name for c in columns.numbers] + [f"{c.name} code" for c in columns.codes]
    rows = np.concatenate([batch.numbers, batch.codes], axis=1)
    return [dict(zip(names, row.tolist(), strict=True)) for row in rows]


def test_an_empty_state_knows_nothing_and_says_so_without_infinities() -> None:
    (row,) = ask(new_state(), context={"surface": "home"}, time_s=1.7e9)
    assert not any(math.isinf(value) for value in row.values())
    counts = ["user_count", "object_count", "user_decayed_1h", "user_likes", "user_object_count"]
    assert [row[name] for name in counts] == [0.0] * 5
    assert row["user_rate"] == row["object_rate"] == row["surface_rate"] == 0.5
    never = ["user_since_last", "object_since_last", "user_object_since_last", "artist_count"]
    assert all(math.isnan(row[name]) for name in never)
    assert not any(value for name, value in row.items() if name.endswith("code"))


def test_strangers_are_served_from_a_full_state() -> None:
    log = random_tables(1).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(60)
    fit_latent(state, seed=1)
    replay.run(len(log))
    row, known = ask(state, NOBODY, (NOBODY, 1), {"surface": "nowhere"}, state.clock_s)
    assert not any(math.isinf(value) for value in (row | known).values())
    assert row["user_count"] == row["object_count"] == row["user_vector_0"] == 0.0
    assert row["surface code"] == 0
    assert row["user_surface_share"] == 0.0
    assert math.isnan(row["device_rate"])


def test_every_number_is_finite_or_unknown_through_a_whole_log() -> None:
    log = random_tables(2, n_events=300, reactions=0.5).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    wanted = np.ones(len(log), bool)
    _, first, _ = replay.run(100, wanted)
    fit_latent(state, seed=1)
    _, second, _ = replay.run(len(log), wanted)
    assert not np.isinf(first).any()
    assert not np.isinf(second).any()


@pytest.mark.parametrize("age_s", [0.0, 4 * YEAR_S, 20 * YEAR_S, 60 * YEAR_S])
def test_short_gaps_stay_exact_however_long_the_log(age_s: float) -> None:
    state = new_state()
    begin = 1.0e9
    state.update(Event("u", "other", Outcome.PLAY, begin))
    state.update(Event("u", "o", Outcome.PLAY, begin + age_s + 7.0))
    obj = state.objects.get("o")
    (row,) = ask(state, state.users.get("u"), (obj,), time_s=begin + age_s + 10.0)
    assert row["user_object_since_last"] == pytest.approx(math.log1p(3.0), abs=1e-6)
    assert row["user_since_last"] == pytest.approx(math.log1p(3.0), abs=1e-6)


def test_moments_beyond_the_range_of_marks_are_held_at_its_ends() -> None:
    assert whole_s(1.999) == 1
    assert whole_s(-0.5) == -1
    assert whole_s(1e30) == 2**31 - 1
    assert whole_s(-1e30) == -(2**31)


def test_attributes_of_a_request_override_what_is_known_for_this_call_alone() -> None:
    log = random_tables(3).log()
    state = new_state()
    Replay(state, state.log_arrays(log)).run(len(log))
    user = state.users.get("u1")
    known = ask(state, user, (1, 2), time_s=1.7e9)
    given: dict[str, str | float] = {"age": 33.0, "joined_at": 1.7e9 - 9.0, "city": "oslo"}
    rows = ask(state, user, (1, 2), time_s=1.7e9, attributes=given)
    for before, after in zip(known, rows, strict=True):
        assert after["user_age"] == 33.0
        assert after["user_age_missing"] == after["user_joined_at_missing"] == 0.0
        assert after["user_joined_at_age"] == pytest.approx(math.log(10.0))
        changed = {name for name in before if before[name] not in (after[name], math.nan)}
        assert changed <= {
            name for name in before if name.startswith(("user_age", "user_joined"))
        } | {"user_city code"} | {name for name in before if math.isnan(before[name])}
    np.testing.assert_equal(ask(state, user, (1, 2), time_s=1.7e9), known)
    (nowhere,) = ask(state, user, (1,), attributes={"city": "atlantis"})
    assert nowhere["user_city code"] == 0


def test_met_opinions_and_recent_objects() -> None:
    state = new_state()
    said = [
        ("a", Outcome.PLAY),
        ("b", Outcome.LIKE),
        ("c", Outcome.DISLIKE),
        ("d", Outcome.SKIP),
        ("a", Outcome.PLAY),
        ("e", Outcome.LIKE),
        ("e", Outcome.UNLIKE),
    ]
    for i, (obj, outcome) in enumerate(said):
        state.update(Event("u", obj, outcome, float(i)))
    user = state.users.get("u")
    objects: NDArray[np.int32] = np.array([state.objects.get(o) for o in "abcdez"], np.int32)
    assert state.met(user, objects).tolist() == [True, False, False, False, False, False]
    assert state.opinions(user, objects).tolist() == [0, 1, -1, 0, 0, 0]
    names = [state.objects.string(i) for i in state.recent_objects(user).tolist()]
    assert names == ["e", "a", "b"]
    assert state.met(NOBODY, objects).tolist() == [False] * 6
    assert state.recent_objects(NOBODY).tolist() == []


def test_the_ring_of_recent_objects_forgets_the_oldest() -> None:
    state = new_state()
    for i in range(RECENT + 5):
        state.update(Event("u", f"o{i}", Outcome.PLAY, float(i)))
    recent = [state.objects.string(i) for i in state.recent_objects(1).tolist()]
    assert recent == [f"o{i}" for i in range(RECENT + 4, 4, -1)]


def test_a_code_is_known_once_an_interaction_has_shown_it() -> None:
    tables = random_tables(4)
    log = tables.log()
    state = new_state()
    state.log_arrays(log)
    row = 0
    user = state.users.get(log.users.ids[log.user_index[row]])
    obj = state.objects.get(log.objects.ids[log.object_index[row]])
    (before,) = ask(state, user, (obj,), context_of(log, row), 1.6e9)
    assert not any(value for name, value in before.items() if name.endswith("code"))
    liked = replace(event_of(log, row), outcome=Outcome.LIKE)
    state.update(liked)
    (after_like,) = ask(state, user, (obj,), context_of(log, row), 1.6e9)
    assert not any(value for name, value in after_like.items() if name.endswith("code"))
    state.update(replace(liked, outcome=Outcome.PLAY))
    (after,) = ask(state, user, (obj,), context_of(log, row), 1.6e9)
    assert (after["user code"], after["object code"]) == (user, obj)
    assert after["previous_object code"] == obj


def test_a_value_given_twice_counts_once() -> None:
    tables = random_tables(5)
    objects = tables.objects.assign(genres="folk|folk")
    log = replace(tables, objects=objects).log()
    state = new_state()
    Replay(state, state.log_arrays(log)).run(len(log))
    (row,) = ask(state, state.users.get("u1"), (1,), time_s=state.clock_s)
    assert row["user_genres_share"] <= 1.0


def test_names_that_two_branches_share_are_refused() -> None:
    schema = replace(SMALL_SCHEMA, context=(Field("genres", Kind.CATEGORY, "as asked"),))
    with pytest.raises(ValueError, match="share a name"):
        State(schema, HORIZON_S, TieRule.ROW)
