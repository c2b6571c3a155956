"""Exploration says exactly how likely every place of the list was to be filled as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.recommend.contracts import Draws, Picked, Query, Ranking
from core.recommend.pipeline import Candidates
from core.recommend.rerankers import CapPerFacet, Exploration
from core.recommend.rerankers.exploration import propensities
from core.recommend.slate import rank
from core.requests import FacetFilter, Slate

Asked = Callable[..., Query]
OBJECTS = np.arange(1, 7, dtype=np.int32)
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])


def explored_list(query: Query, *steps: object, step: Exploration | None = None) -> Slate:
    candidates = Candidates(OBJECTS, {int(o): ["s"] for o in OBJECTS}, {}, [])
    return rank(query, (*steps, step or Exploration()), candidates, SCORES)  # type: ignore[arg-type]


def ids(slate: Slate) -> list[str]:
    return [item.object_id for item in slate.items]


def test_without_exploration_the_list_is_plain_and_certain(asked: Asked) -> None:
    plain = explored_list(asked("ann", exploration=0.0))
    assert ids(plain) == ["a1", "a2", "a3", "b1", "b2", "n1"]
    assert plain == explored_list(asked("ann", seed=5)) == explored_list(asked("ann", seed=6))
    assert [item.propensity for item in plain.items] == [1.0] * 6
    assert not any(item.explored for item in plain.items)


def test_the_same_seed_gives_the_same_list(asked: Asked) -> None:
    query = asked("ann", exploration=0.6, seed=7)
    assert explored_list(query) == explored_list(query)
    lists = {
        tuple(ids(explored_list(asked("ann", exploration=0.6, seed=seed)))) for seed in range(40)
    }
    assert len(lists) > 10


@given(rate=st.floats(0.0, 1.0), choices=st.integers(1, 60))
def test_the_propensities_of_all_that_could_stand_at_a_place_sum_to_one(
    rate: float, choices: int
) -> None:
    is_best = np.arange(choices) == 0
    chances = propensities(is_best, np.full(choices, choices), rate)
    assert chances.sum() == pytest.approx(1.0, abs=1e-12)
    assert chances[0] == pytest.approx(1 - rate + rate / choices)
    assert chances[1:] == pytest.approx(rate / choices)
    assert choices > 1 or chances[0] == 1.0


@pytest.mark.parametrize("among", [2, 3, 50])
def test_lists_come_as_often_as_the_product_of_their_propensities(asked: Asked, among: int) -> None:
    """Over all seeds the propensities are frequencies: of whole lists of two places."""
    seeds, counts, claimed = 6000, Counter[tuple[str, ...]](), dict[tuple[str, ...], float]()
    query = asked("ann", exploration=0.6, size=2)
    step = Exploration(among=among)
    for seed in range(seeds):
        slate = explored_list(replace(query, request=replace(query.request, seed=seed)), step=step)
        counts[tuple(ids(slate))] += 1
        claimed[tuple(ids(slate))] = prod(item.propensity for item in slate.items)
    reach = min(among, 6) * min(among, 5)
    assert len(claimed) == reach
    assert sum(claimed.values()) == pytest.approx(1.0)
    for names, chance in claimed.items():
        assert abs(counts[names] / seeds - chance) < 5 * (chance * (1 - chance) / seeds) ** 0.5


def test_every_order_can_come_when_all_is_chance(asked: Asked) -> None:
    query = asked("ann", exploration=1.0, size=3)
    lists = set()
    for seed in range(1500):
        slate = explored_list(replace(query, request=replace(query.request, seed=seed)))
        lists.add(tuple(ids(slate)))
        assert [item.propensity for item in slate.items] == pytest.approx([1 / 6, 1 / 5, 1 / 4])
        assert [item.choices for item in slate.items] == [6, 5, 4]
    assert lists == set(permutations(["a1", "a2", "a3", "b1", "b2", "n1"], 3))


def test_an_explored_place_says_what_it_kept_away(asked: Asked) -> None:
    query = asked("ann", exploration=0.5, size=6)
    for seed in range(30):
        slate = explored_list(replace(query, request=replace(query.request, seed=seed)))
        left = dict(zip(["a1", "a2", "a3", "b1", "b2", "n1"], SCORES.tolist(), strict=True))
        for item in slate.items:
            best = max(left.values())
            assert item.explored == (item.probability < best)
            assert item.passed_over == (best if item.explored else None)
            del left[item.object_id]


def test_what_passes_the_facet_filters_stays_before_what_falls_back(asked: Asked) -> None:
    bach = (FacetFilter("artist", ("bach",)),)
    query = asked("ann", facet_filters=bach, fall_back=True, exploration=1.0)
    for seed in range(30):
        slate = explored_list(replace(query, request=replace(query.request, seed=seed)))
        assert set(ids(slate)[:2]) == {"b1", "b2"}
        assert [item.choices for item in slate.items] == [2, 1, 4, 3, 2, 1]
        assert slate.items[1].propensity == slate.items[5].propensity == 1.0


def test_nothing_may_move_what_was_drawn(asked: Asked) -> None:
    query = asked("ann", exploration=0.5)
    candidates = Candidates(OBJECTS, {int(o): ["s"] for o in OBJECTS}, {}, [])
    with pytest.raises(ValueError, match="'cap_per_facet' comes after a draw"):
        rank(query, (Exploration(), CapPerFacet(1)), candidates, SCORES)


@pytest.mark.parametrize(
    ("draws", "problem"),
    [
        (Draws(np.ones(5), np.ones(6, int), np.arange(6)), "must answer 6 rows, got 5"),
        (Draws(np.zeros(6), np.ones(6, int), np.arange(6)), "propensities above 0"),
        (Draws(np.full(6, np.nan), np.ones(6, int), np.arange(6)), "propensities above 0"),
    ],
)
def test_a_policy_that_does_not_know_its_chances_fails_the_call(
    asked: Asked, draws: Draws, problem: str
) -> None:
    class Claims:
        name = "claims"

        def pick(self, query: Query, ranking: Ranking) -> Picked:
            del query
            return Picked(np.arange(len(ranking.objects)), draws=draws)

    candidates = Candidates(OBJECTS, {}, {}, [])
    with pytest.raises(ValueError, match=problem):
        rank(asked("ann"), (Claims(),), candidates, SCORES)


def test_a_policy_that_mixes_tiers_fails_the_call(asked: Asked) -> None:
    class Turns:
        name = "turns"

        def pick(self, query: Query, ranking: Ranking) -> Picked:
            del query
            return Picked(np.arange(len(ranking.objects))[::-1])

    query = asked("ann", facet_filters=(FacetFilter("artist", ("bach",)),), fall_back=True)
    candidates = Candidates(OBJECTS, {}, {}, [])
    with pytest.raises(ValueError, match="later tier before an earlier"):
        rank(query, (Turns(),), candidates, SCORES)
