"""Filters take out what must not be shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.log import Outcome
from core.recommend.contracts import Filter, Query
from core.recommend.filters import InPool, NotDisliked, NotExcluded, OfFacets, OfNovelty, Rested
from core.requests import FacetFilter, Novelty
from core.state.events import Event
from core.state.state import State

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


def test_what_was_met_less_than_the_rest_ago_rests(asked: Asked) -> None:
    # ann met a1 at 0 s and a2 at 1 s.
    assert kept(asked("ann", now_s=20.0), Rested(rest_s=20.0)) == ["a1", "a3", "b1", "b2", "n1"]
    assert kept(asked("ann", now_s=20.0), Rested(rest_s=21.0)) == ["a3", "b1", "b2", "n1"]
    assert kept(asked("ann", now_s=20.0), Rested(rest_s=19.0)) == list(ALL)


def test_without_a_rest_everything_repeats_at_once(state: State, asked: Asked) -> None:
    state.update(Event("ann", "a1", Outcome.PLAY, 20.0))
    assert kept(asked("ann", now_s=20.0), Rested(rest_s=0.0)) == list(ALL)
    assert "a1" not in kept(asked("ann", now_s=20.0), Rested(rest_s=1.0))


def test_a_list_is_of_what_the_user_had_or_never_had_as_asked(asked: Asked) -> None:
    assert kept(asked("bob", novelty=Novelty.NEW_ONLY), OfNovelty()) == ["a3", "b2", "n1"]
    assert kept(asked("bob", novelty=Novelty.KNOWN_ONLY), OfNovelty()) == ["a1", "a2", "b1"]
    assert kept(asked("bob"), OfNovelty()) == list(ALL)
    assert kept(asked("new", novelty=Novelty.KNOWN_ONLY), OfNovelty()) == []


def test_an_opinion_alone_is_no_meeting(state: State, asked: Asked) -> None:
    state.update(Event("bob", "b2", Outcome.LIKE, 20.0))
    assert "b2" in kept(asked("bob", novelty=Novelty.NEW_ONLY), OfNovelty())
    assert "b2" in kept(asked("bob", now_s=20.0), Rested(rest_s=10.0))


def facets(**wanted: tuple[str, ...]) -> tuple[FacetFilter, ...]:
    return tuple(FacetFilter(field, values) for field, values in wanted.items())


@pytest.mark.parametrize(
    ("wanted", "stay"),
    [
        (facets(artist=("abba",)), ["a1", "a2", "a3"]),
        (facets(artist=("abba", "bach")), ["a1", "a2", "a3", "b1", "b2"]),
        (facets(genres=("rock",)), ["a1", "b1"]),
        (facets(genres=("rock", "jazz")), ["a1", "a2", "b1"]),
        (facets(genres=("rock",), artist=("bach",)), ["b1"]),
        (facets(language=("sv",)), ["a1", "a2", "a3"]),
        (facets(artist=("never heard of",)), []),
        (facets(artist=("never heard of", "bach")), ["b1", "b2"]),
        (facets(language=("abba",)), []),
        ((), list(ALL)),
    ],
)
def test_only_what_passes_every_facet_filter_stays(
    asked: Asked, wanted: tuple[FacetFilter, ...], stay: list[str]
) -> None:
    assert kept(asked("ann", facet_filters=wanted), OfFacets()) == stay
    assert kept(asked("ann", facet_filters=wanted, fall_back=True), OfFacets()) == list(ALL)


def test_sources_may_propose_just_what_the_filters_leave(asked: Asked) -> None:
    query = asked(
        "bob", pool="free", facet_filters=facets(artist=("abba",)), novelty=Novelty.KNOWN_ONLY
    )
    assert query.pool is not None
    names = [name for name in ALL if query.pool[query.state.objects.get(name)]]
    assert names == ["a2"]
    assert not query.pool[query.state.objects.end :].any()
    assert asked("bob").pool is None


def test_what_the_user_dislikes_goes_until_they_take_it_back(state: State, asked: Asked) -> None:
    state.update(Event("ann", "b1", Outcome.DISLIKE, 20.0))
    assert kept(asked("ann"), NotDisliked()) == ["a1", "a2", "a3", "b2", "n1"]
    assert kept(asked("bob"), NotDisliked()) == list(ALL)
    state.update(Event("ann", "b1", Outcome.UNLIKE, 21.0))
    assert kept(asked("ann"), NotDisliked()) == list(ALL)


@pytest.mark.parametrize(
    "step", [InPool(), NotExcluded(), OfFacets(), OfNovelty(), Rested(10.0), NotDisliked()]
)
def test_a_new_user_has_met_and_disliked_nothing(step: Filter, asked: Asked) -> None:
    assert kept(asked("new"), step) == list(ALL)


@pytest.mark.parametrize(
    "step", [InPool(), NotExcluded(), OfFacets(), OfNovelty(), Rested(10.0), NotDisliked()]
)
def test_no_candidates_give_no_answers(step: Filter, asked: Asked) -> None:
    assert step.keep(asked("ann", pool="free"), np.zeros(0, np.int32)).shape == (0,)
