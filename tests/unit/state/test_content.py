"""Content features by hand: two dimensions, so that every cosine can be drawn on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.content import unit_vectors
from core.log import Outcome
from core.state.columns import Family, column_names
from core.state.events import Event
from core.state.state import NOBODY, State
from core.testing_logs import SMALL_SCHEMA, new_state

EAST, NORTH_EAST, NORTH, WEST = (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (-1.0, 0.0)
CONTENT = unit_vectors(
    "sound", ["east", "north east", "north", "west"], np.array([EAST, NORTH_EAST, NORTH, WEST])
)
HALF = math.sqrt(0.5)
"""Cosine of 45 degrees."""


@pytest.fixture
def state() -> State:
    state = new_state(content=CONTENT)
    state.add_content(CONTENT)
    return state


def play(state: State, obj: str, time_s: float, user: str = "ann") -> None:
    state.update(Event(user, obj, Outcome.PLAY, time_s))


def shown(state: State, obj: str, user: str = "ann") -> dict[str, float]:
    """The content columns of one candidate, by name."""
    columns = state.columns
    batch = state.features(
        state.users.get(user),
        np.array([state.objects.get(obj)], np.int32),
        {},
        max(state.clock_s, 0.0),
        columns,
    )
    return {
        c.name: value
        for c, value in zip(columns.numbers, batch.numbers[0].tolist(), strict=True)
        if c.family is Family.CONTENT
    }


def test_only_a_schema_with_a_space_has_the_columns(state: State) -> None:
    plain, told = new_state().columns, state.columns
    names = [c.name for c in told.numbers if c.family is Family.CONTENT]
    assert names == [
        "user_content_count",
        "content_known",
        "object_content_0",
        "object_content_1",
        "user_content_match",
        "last_content_match",
    ]
    assert [c for c in told.numbers if c.family is not Family.CONTENT] == list(plain.numbers)
    assert column_names(told.codes) == column_names(plain.codes)


def test_an_object_that_nobody_met_has_its_vector_and_a_match(state: State) -> None:
    play(state, "east", 0.0)
    assert shown(state, "north east") == pytest.approx(
        {
            "user_content_count": math.log(2),
            "content_known": 1.0,
            "object_content_0": HALF,
            "object_content_1": HALF,
            "user_content_match": HALF,
            "last_content_match": HALF,
        }
    )
    assert shown(state, "west")["user_content_match"] == pytest.approx(-1.0)


def test_taste_is_the_mean_of_what_was_taken_and_the_last_is_the_last(state: State) -> None:
    play(state, "east", 0.0)
    play(state, "north", 1.0)
    north = shown(state, "north")
    assert north["user_content_match"] == pytest.approx(HALF, abs=1e-5)  # of north east
    assert north["last_content_match"] == pytest.approx(1.0)
    assert shown(state, "east")["last_content_match"] == pytest.approx(0.0)


def test_what_is_taken_again_weighs_more(state: State) -> None:
    for second, obj in enumerate(("east", "east", "east", "north")):
        play(state, obj, float(second))
    # Three east, one north: the taste is (3, 1).
    assert shown(state, "east")["user_content_match"] == pytest.approx(3 / math.sqrt(10), abs=1e-5)
    assert shown(state, "east")["user_content_count"] == pytest.approx(math.log(5))


def test_taste_fades_by_the_half_life_of_taste(state: State) -> None:
    play(state, "east", 0.0)
    play(state, "north", SMALL_SCHEMA.taste_half_life_s)
    # Half of east is left: the taste is (0.5, 1).
    match = shown(state, "east")["user_content_match"]
    assert match == pytest.approx(0.5 / math.sqrt(1.25), rel=1e-5)


def test_what_was_said_before_is_all_that_counts(state: State) -> None:
    before = shown(state, "east")
    assert math.isnan(before["user_content_match"])
    assert before["user_content_count"] == 0.0
    play(state, "east", 0.0, user="bob")
    after = shown(state, "east")
    assert after["user_content_count"] == 0.0
    assert math.isnan(after["user_content_match"])


def test_skips_and_opinions_are_no_taste(state: State) -> None:
    for outcome in (Outcome.SKIP, Outcome.DISLIKE, Outcome.LIKE):
        state.update(Event("ann", "east", outcome, 0.0))
    columns = shown(state, "east")
    assert columns["user_content_count"] == 0.0
    assert math.isnan(columns["user_content_match"])
    assert columns["last_content_match"] == pytest.approx(1.0)  # the previous object, liked


def test_an_object_without_a_vector_is_absent_and_changes_no_taste(state: State) -> None:
    play(state, "east", 0.0)
    play(state, "silent", 1.0)
    silent = shown(state, "silent")
    assert silent.pop("user_content_count") == pytest.approx(math.log(2))
    assert silent.pop("content_known") == 0.0
    assert all(math.isnan(value) for value in silent.values())
    east = shown(state, "east")
    assert east["user_content_match"] == pytest.approx(1.0)
    assert math.isnan(east["last_content_match"])  # of the silent one before


def test_a_hidden_vector_makes_taste_but_its_object_is_absent_until_it_is_shown() -> None:
    state = new_state(content=CONTENT)
    state.add_content(CONTENT, hidden=np.array([True, False, False, False]))
    play(state, "east", 0.0)
    assert shown(state, "east")["content_known"] == 0.0
    assert math.isnan(shown(state, "east")["object_content_0"])
    assert math.isnan(shown(state, "east")["user_content_match"])
    assert shown(state, "north east")["user_content_match"] == pytest.approx(HALF)
    state.show_content()
    assert shown(state, "east")["user_content_match"] == pytest.approx(1.0)


def test_a_new_user_and_a_new_object_are_no_error(state: State) -> None:
    columns = shown(state, "never heard of", user="nobody")
    assert state.objects.get("never heard of") == NOBODY
    assert columns["content_known"] == columns["user_content_count"] == 0.0


def test_vectors_of_another_space_are_refused(state: State) -> None:
    other = unit_vectors("text", ["east"], np.array([EAST]))
    with pytest.raises(ValueError, match="text"):
        state.add_content(other)
    with pytest.raises(ValueError, match="the schema has None"):
        new_state().add_content(CONTENT)
