"""Filters take out what must not be shown; rerankers pick from what is in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.log import Outcome
from core.recommend.contracts import Filter, Query
from core.recommend.filters import InPool, NotDisliked, NotExcluded, NotSeen
from core.recommend.rerankers import CapPerFacet
from core.state.state import Event, State

Asked = Callable[..., Query]
ALL = ("a1", "a2", "a3", "b1", "b2", "n1")


def kept(query: Query, step: Filter) -> list[str]:
    objects = np.array([query.state.objects.get(name) for name in ALL], np.int32)
    keep = step.keep(query, objects)
    assert keep.dtype == bool
    return [name for name, stays in zip(ALL, keep.tolist(), strict=True) if stays]


def test_only_members_of_the_asked_pool_stay(asked: Asked) -> None:
    assert kept(asked("ann", pool="free"), InPool()) == ["a2", "b1"]
    assert kept(asked("ann"), InPool()) == list(ALL)


def test_what_the_caller_excludes_goes_and_unknown_ids_exclude_nothing(asked: Asked) -> None:
    query = asked("ann", exclude_ids=("a1", "never heard of", "n1", "a1"))
    assert kept(query, NotExcluded()) == ["a2", "a3", "b1", "b2"]
    assert kept(asked("ann"), NotExcluded()) == list(ALL)


def test_what_the_user_has_met_goes(state: State, asked: Asked) -> None:
    assert kept(asked("bob"), NotSeen()) == ["a3", "b2", "n1"]
    state.update(Event("bob", "n1", Outcome.PLAY, 20.0))
    assert kept(asked("bob"), NotSeen()) == ["a3", "b2"]


def test_an_opinion_alone_is_no_meeting(state: State, asked: Asked) -> None:
    state.update(Event("bob", "b2", Outcome.LIKE, 20.0))
    assert "b2" in kept(asked("bob"), NotSeen())


def test_what_the_user_dislikes_goes_until_they_take_it_back(state: State, asked: Asked) -> None:
    state.update(Event("ann", "b1", Outcome.DISLIKE, 20.0))
    assert kept(asked("ann"), NotDisliked()) == ["a1", "a2", "a3", "b2", "n1"]
    assert kept(asked("bob"), NotDisliked()) == list(ALL)
    state.update(Event("ann", "b1", Outcome.UNLIKE, 21.0))
    assert kept(asked("ann"), NotDisliked()) == list(ALL)


@pytest.mark.parametrize("step", [InPool(), NotExcluded(), NotSeen(), NotDisliked()])
def test_a_new_user_has_met_and_disliked_nothing(step: Filter, asked: Asked) -> None:
    assert kept(asked("new"), step) == list(ALL)


@pytest.mark.parametrize("step", [InPool(), NotExcluded(), NotSeen(), NotDisliked()])
def test_no_candidates_give_no_answers(step: Filter, asked: Asked) -> None:
    assert step.keep(asked("ann", pool="free"), np.zeros(0, np.int32)).shape == (0,)


def picked(query: Query, cap: int, names: tuple[str, ...] = ALL) -> list[str]:
    objects = np.array([query.state.objects.get(name) for name in names], np.int32)
    scores = np.linspace(1.0, 0.0, len(names))
    positions = CapPerFacet(cap).pick(query, objects, scores)
    assert positions.dtype == np.intp
    return [names[i] for i in positions.tolist()]


def test_a_cap_keeps_the_first_of_each_artist_in_order_and_all_without_one(asked: Asked) -> None:
    assert picked(asked("ann"), 1) == ["a1", "b1", "n1"]
    assert picked(asked("ann"), 2) == ["a1", "a2", "b1", "b2", "n1"]
    assert picked(asked("ann"), 1, ("b2", "n1", "a3", "b1", "a1")) == ["b2", "n1", "a3"]


def test_cap_zero_is_no_cap(asked: Asked) -> None:
    assert picked(asked("ann"), 0) == list(ALL)
    assert picked(asked("ann", max_per_facet=0), 1) == list(ALL)


def test_a_request_may_set_its_own_cap(asked: Asked) -> None:
    assert picked(asked("ann", max_per_facet=1), 0) == ["a1", "b1", "n1"]
    assert picked(asked("ann", max_per_facet=None), 1) == ["a1", "b1", "n1"]


@given(names=st.permutations(ALL), cap=st.integers(0, 4))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_cap_never_reorders_and_never_leaves_out_what_fits(
    asked: Asked, names: list[str], cap: int
) -> None:
    chosen = picked(asked("ann"), cap, tuple(names))
    assert chosen == [name for name in names if name in chosen]
    count = Counter(name[0] for name in names if name != "n1")
    expected = {artist: n if cap == 0 else min(n, cap) for artist, n in count.items()}
    assert Counter(name[0] for name in chosen if name != "n1") == expected
