"""Quotas: proposals go where they find what users took."""

from __future__ import annotations

import math

import numpy as np

from core.ranking.quotas import LEAST, NEVER, UNHEARD, FoundPlaces, learn_quotas, places_of


def found(*places: tuple[int, int], heard: frozenset[str] = frozenset({"x", "y"})) -> FoundPlaces:
    """Of two sources x and y."""
    return FoundPlaces(("x", "y"), np.array(places, np.int32).reshape(-1, 2), heard)


def test_places_are_those_of_the_proposals() -> None:
    proposed = {"x": np.array([7, 3, 5], np.int32), "y": np.zeros(0, np.int32)}
    places = places_of(proposed, ("x", "y", "z"), np.array([3, 4, 7], np.int32))
    assert places.tolist() == [[1, NEVER, NEVER], [NEVER, NEVER, NEVER], [0, NEVER, NEVER]]


def test_recall_counts_what_any_source_has_within_its_quota() -> None:
    places = found((0, NEVER), (5, 2), (NEVER, 9), (NEVER, NEVER))
    assert places.recall({"x": 1, "y": 3}) == 0.5
    assert places.recall({"x": 1}) == 0.25
    assert math.isnan(found().recall({"x": 1}))


def test_the_source_that_finds_most_gets_the_proposals() -> None:
    quotas = learn_quotas(found(*[(15, NEVER)] * 3, (NEVER, 15)), budget=30, limit=100)
    assert quotas == {"x": 20, "y": 10}


def test_what_another_source_has_found_already_counts_for_nothing() -> None:
    # All that x has further down, y has among its first.
    quotas = learn_quotas(found(*[(15, 0)] * 9, (NEVER, 15)), budget=30, limit=100)
    assert quotas == {"x": 10, "y": 20}


def test_a_source_that_stands_still_for_a_step_is_asked_for_its_best_rate() -> None:
    # x finds nothing from place 10 to 29, then more a proposal than y.
    places = [(35, NEVER)] * 7 + [(NEVER, 12)] * 2
    assert learn_quotas(found(*places), budget=50, limit=100) == {"x": 40, "y": 10}


def test_quotas_keep_the_budget_and_the_limit() -> None:
    everywhere = [(place, place + 1000) for place in range(100)]
    assert learn_quotas(found(*everywhere), budget=75, limit=200) == {"x": 60, "y": 10}
    assert learn_quotas(found(*everywhere), budget=500, limit=40) == {"x": 40, "y": 10}


def test_sources_keep_a_little_and_those_never_heard_more() -> None:
    assert learn_quotas(found(), budget=400, limit=100) == {"x": LEAST, "y": LEAST}
    unheard = learn_quotas(found(heard=frozenset({"x"})), budget=400, limit=100)
    assert unheard == {"x": LEAST, "y": UNHEARD}
    assert learn_quotas(found(), budget=0, limit=5) == {"x": 5, "y": 5}
