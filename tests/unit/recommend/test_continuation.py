"""Continuation: what the user is in the midst of goes on as it did the last time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.log import Outcome
from core.recommend.contracts import Query, Scoring
from core.recommend.sources import Continuation
from core.state.events import Event
from core.state.state import NOBODY, State

Asked = Callable[..., Query]
SOURCE = Continuation()


def play(state: State, *objects: str) -> None:
    for time_s, obj in enumerate(objects, start=20):
        state.update(Event("gus", obj, Outcome.PLAY, float(time_s)))


def proposed(query: Query, limit: int = 100) -> list[str]:
    proposals = SOURCE.propose(query, limit)
    assert proposals.objects.dtype == np.int32
    assert proposals.reasons == ("came next, the last time",) * len(proposals.objects)
    return [query.state.objects.string(obj) for obj in proposals.objects.tolist()]


def index(query: Query, *names: str) -> NDArray[np.int32]:
    return np.array([query.state.objects.get(name) for name in names], np.int32)


def test_what_came_next_is_proposed_in_its_order(state: State, asked: Asked) -> None:
    play(state, "a1", "a2", "b1", "b2", "a1")
    assert proposed(asked("gus", now_s=30.0)) == ["a2", "b1", "b2"]
    assert proposed(asked("gus", now_s=30.0), limit=2) == ["a2", "b1"]


def test_nothing_is_proposed_to_who_has_not_been_here_before(state: State, asked: Asked) -> None:
    play(state, "a1", "a2")
    assert proposed(asked("gus", now_s=30.0)) == []
    assert proposed(asked("", now_s=30.0)) == []


def test_it_goes_no_further_than_it_is_told(state: State, asked: Asked) -> None:
    play(state, "a1", "a2", "b1", "b2", "a1")
    near = Continuation(steps=1).propose(asked("gus", now_s=30.0), 100).objects
    assert near.tolist() == index(asked("gus"), "a2").tolist()


def test_only_members_of_the_pool_are_proposed(state: State, asked: Asked) -> None:
    play(state, "a1", "a2", "b1", "b2", "a1")
    query = asked("gus", now_s=30.0)
    pool = np.zeros(state.objects.end, bool)
    pool[index(query, "b1")] = True
    assert proposed(replace(query, pool=pool)) == ["b1"]


def test_what_comes_sooner_is_said_to_be_nearer(state: State, asked: Asked) -> None:
    play(state, "a1", "a2", "b1", "a1")
    query = asked("gus", now_s=30.0)
    assert isinstance(SOURCE, Scoring)
    said = SOURCE.scores(query, index(query, "b1", "a2", "a1", "n1"))
    assert said.dtype == np.float32
    np.testing.assert_allclose(said, [[1 / 2], [1.0], [0.0], [0.0]])


def test_of_new_users_nothing_is_said(state: State, asked: Asked) -> None:
    query = replace(asked("gus"), user=NOBODY)
    assert np.isnan(SOURCE.scores(query, index(query, "a1"))).all()


def test_a_like_does_not_interrupt(state: State, asked: Asked) -> None:
    play(state, "a1", "a2", "b1", "a1")
    state.update(Event("gus", "n1", Outcome.LIKE, 40.0))
    assert proposed(asked("gus", now_s=50.0)) == ["a2", "b1"]
