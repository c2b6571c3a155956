"""Rerankers pick from what is in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.recommend.contracts import Picked, Query, Ranking, Reranker
from core.recommend.rerankers import CapPerFacet, Exploration, Freshness, MarginalRelevance

Asked = Callable[..., Query]
ALL = ("a1", "a2", "a3", "b1", "b2", "n1")


def ranking(
    query: Query,
    names: tuple[str, ...] = ALL,
    utilities: list[float] | None = None,
    tiers: list[int] | None = None,
) -> Ranking:
    objects = np.array([query.state.objects.get(name) for name in names], np.int32)
    n = len(names)
    return Ranking(
        objects,
        np.linspace(1.0, 0.0, n) if utilities is None else np.array(utilities),
        np.array([0] * n if tiers is None else tiers, np.int8),
    )


def names_of(picked: Picked, names: tuple[str, ...] = ALL) -> list[str]:
    return [names[i] for i in picked.positions.tolist()]


def picked(query: Query, cap: int, names: tuple[str, ...] = ALL) -> list[str]:
    return names_of(CapPerFacet(cap).pick(query, ranking(query, names)), names)


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


@pytest.mark.parametrize("step", [Freshness(), MarginalRelevance(), Exploration()])
def test_what_is_not_asked_changes_nothing(asked: Asked, step: Reranker) -> None:
    query = asked("ann")
    for names in (ALL, ()):
        left = step.pick(query, ranking(query, names))
        assert names_of(left, names) == list(names)
        assert left.utilities is None
        assert left.draws is None


@pytest.mark.parametrize(
    "asks", [{"freshness": 0.0}, {"diversity": 0.0}, {"exploration": 0.0}], ids=str
)
@pytest.mark.parametrize("step", [Freshness(1.0), MarginalRelevance(1.0), Exploration(1.0)])
def test_a_request_may_ask_for_nothing_of_what_the_domain_does(
    asked: Asked, step: Reranker, asks: dict[str, float]
) -> None:
    name = {"freshness": "freshness", "diversity": "marginal_relevance"}.get(next(iter(asks)))
    query = asked("ann", **asks)
    if step.name == (name or "exploration"):
        assert names_of(step.pick(query, ranking(query))) == list(ALL)


def test_wholly_fresh_is_what_the_fewest_users_have_met_first(asked: Asked) -> None:
    # n1 has no user, a3 one, a2 and b2 two, b1 three, a1 four; ties keep their order.
    query = asked("ann", freshness=1.0)
    left = Freshness().pick(query, ranking(query))
    assert names_of(left) == ["n1", "a3", "a2", "b2", "b1", "a1"]
    assert left.utilities is not None
    assert left.utilities.tolist() == sorted(left.utilities.tolist(), reverse=True)


def test_a_little_freshness_lifts_but_does_not_overturn(asked: Asked) -> None:
    query = asked("ann", freshness=0.2)
    names = ("a1", "n1", "b1")
    close = ranking(query, names, [0.50, 0.49, 0.0])
    assert names_of(Freshness().pick(query, close), names) == ["n1", "a1", "b1"]
    far = ranking(query, names, [0.5, 0.1, 0.0])
    assert names_of(Freshness().pick(query, far), names) == ["a1", "n1", "b1"]


def test_diversity_puts_the_unlike_between_the_alike(asked: Asked) -> None:
    query = asked("ann", diversity=0.5)
    names = ("a1", "a2", "b1", "b2")
    close = ranking(query, names, [0.9, 0.89, 0.88, 0.5])
    first, second, *_ = names_of(MarginalRelevance().pick(query, close), names)
    assert (first, second) == ("a1", "b1")
    weak = asked("ann", diversity=0.01)
    assert names_of(MarginalRelevance().pick(weak, close), names) == list(names)


def test_only_as_many_as_the_list_has_places_are_picked_for_diversity(asked: Asked) -> None:
    query = asked("ann", diversity=0.9, size=2)
    names = ("a1", "a2", "a3", "b1", "b2")
    left = MarginalRelevance().pick(query, ranking(query, names))
    assert names_of(left, names)[:2] == ["a1", "b2"]
    assert names_of(left, names)[2:] == ["a2", "a3", "b1"]
    near = MarginalRelevance(among=2).pick(query, ranking(query, names))
    assert names_of(near, names) == list(names)


@pytest.mark.parametrize("step", [Freshness(0.7), MarginalRelevance(0.7), Exploration(0.7)])
@given(
    names=st.permutations(ALL),
    matches=st.integers(0, 6),
    seed=st.integers(0, 99),
    size=st.integers(1, 6),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_step_leaves_out_repeats_or_mixes_tiers(
    asked: Asked, step: Reranker, names: list[str], matches: int, seed: int, size: int
) -> None:
    query = asked("ann", seed=seed, size=size)
    tiers = [0] * matches + [1] * (6 - matches)
    positions = step.pick(query, ranking(query, tuple(names), tiers=tiers)).positions
    assert sorted(positions.tolist()) == list(range(6))
    assert [tiers[i] for i in positions.tolist()] == tiers
