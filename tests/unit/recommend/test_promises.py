"""What a list promises whatever is asked: small states, every combination of wishes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.log import Outcome
from core.recommend.contracts import Query, Stages
from core.recommend.pipeline import Candidates
from core.recommend.shortlist import shortlist
from core.recommend.slate import rank
from core.requests import FacetFilter, Novelty, Slate
from core.state.events import Event
from core.state.state import State
from core.testing_domain import SMALL_DOMAIN
from tests.unit.recommend.conftest import ARTISTS, FREE, GENRES, MEETINGS

Asked = Callable[..., Query]
ALL = tuple(ARTISTS)
STAGES = SMALL_DOMAIN.stages
LOOSE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SHARES = st.sampled_from([None, 0.0, 0.3, 1.0])
WISHES = st.fixed_dictionaries(
    {
        "pool": st.sampled_from(["", "free"]),
        "exclude_ids": st.lists(st.sampled_from([*ALL, "unheard of"]), max_size=3).map(tuple),
        "candidate_ids": st.lists(st.sampled_from([*ALL, "unheard of"]), max_size=6).map(tuple),
        "novelty": st.sampled_from(Novelty),
        "facet_filters": st.lists(
            st.sampled_from(
                [
                    FacetFilter("artist", ("abba",)),
                    FacetFilter("genres", ("rock", "unheard of")),
                    FacetFilter("genres", ("unheard of",)),
                ]
            ),
            max_size=2,
        ).map(tuple),
        "fall_back": st.booleans(),
        "max_per_facet": st.sampled_from([None, 0, 1]),
        "diversity": SHARES,
        "freshness": SHARES,
        "exploration": SHARES,
        "seed": st.integers(0, 10),
        "size": st.integers(1, 7),
    }
)


def ignore(name: str, error: Exception) -> None:
    del name, error


def slate_of(query: Query, stages: Stages = STAGES) -> Slate:
    found = shortlist(query, stages, ignore)
    return rank(query, stages.rerankers, found, chances(query, found))


def chances(query: Query, found: Candidates) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A scorer that looks at each candidate alone."""
    return np.array([(0.37 * obj) % 1.0 for obj in found.objects.tolist()])


def passes(name: str, wanted: FacetFilter) -> bool:
    values = {"artist": ARTISTS[name], "genres": GENRES.get(name, "")}[wanted.field]
    return bool(set(values.split("|")) & set(wanted.values))


@given(
    user=st.sampled_from(["ann", "bob", "new", ""]), disliked=st.sampled_from(ALL), wishes=WISHES
)
@LOOSE
def test_no_list_ever_breaks_a_promise(
    state: State, asked: Asked, user: str, disliked: str, wishes: dict[str, object]
) -> None:
    """No duplicates; nothing excluded, disliked, out of the pool, against a strict filter."""
    if user in ("ann", "bob"):
        state.update(Event(user, disliked, Outcome.DISLIKE, 20.0))
    query = asked(user, now_s=3600.0 * 2, **wishes)
    request = query.request
    try:
        slate = slate_of(query)
    finally:
        if user in ("ann", "bob"):
            state.update(Event(user, disliked, Outcome.UNLIKE, 20.0))
    names = [item.object_id for item in slate.items]
    had = {obj for who, obj in MEETINGS if who == user}
    assert len(set(names)) == len(names) <= request.size
    assert not set(names) & set(request.exclude_ids)
    assert user not in ("ann", "bob") or disliked not in names
    assert not request.pool or set(names) <= FREE
    assert request.novelty is not Novelty.NEW_ONLY or not set(names) & had
    assert request.novelty is not Novelty.KNOWN_ONLY or set(names) <= had
    assert not request.candidate_ids or set(names) <= set(request.candidate_ids)
    matches = [all(passes(name, wanted) for wanted in request.facet_filters) for name in names]
    assert matches == sorted(matches, reverse=True)
    assert request.fall_back or all(matches)
    assert all(matches) or any("facet filters" in told for told in slate.fallbacks)
    assert all(0.0 < item.propensity <= 1.0 for item in slate.items)
    assert not set(names) & set(slate.removed)


@given(wishes=WISHES, order=st.permutations(range(6)), gone=st.sampled_from(ALL))
@LOOSE
def test_candidates_do_not_know_of_each_other_before_the_rerankers(
    asked: Asked, wishes: dict[str, object], order: list[int], gone: str
) -> None:
    plain = replace(STAGES, rerankers=())
    offered = ("a1", "a2", "a3", "b1", "b2", "n1")
    wishes |= {"candidate_ids": offered, "size": 6}
    slate = slate_of(asked("ann", now_s=7200.0, **wishes), plain)
    permuted = tuple(offered[i] for i in order)
    again = slate_of(asked("ann", now_s=7200.0, **wishes | {"candidate_ids": permuted}), plain)
    assert again.items == slate.items
    without = tuple(name for name in offered if name != gone)
    fewer = slate_of(asked("ann", now_s=7200.0, **wishes | {"candidate_ids": without}), plain)
    assert fewer.items == tuple(item for item in slate.items if item.object_id != gone)


@given(wishes=WISHES)
@LOOSE
def test_exploration_of_nothing_is_the_plain_list(asked: Asked, wishes: dict[str, object]) -> None:
    wishes |= {"exploration": 0.0}
    plain = slate_of(
        asked("ann", now_s=7200.0, **wishes), replace(STAGES, rerankers=STAGES.rerankers[:-1])
    )
    assert slate_of(asked("ann", now_s=7200.0, **wishes)) == plain
