"""The shortlist: a rare match is found, and others follow only where that is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.recommend.contracts import Proposals, Query, Stages
from core.recommend.filters import InPool, NotExcluded, OfFacets, OfNovelty
from core.recommend.shortlist import shortlist
from core.recommend.sources import Popular, Queued
from core.requests import FacetFilter, Novelty

Asked = Callable[..., Query]
STAGES = Stages((Popular(half_life=1),), (InPool(), OfFacets(), NotExcluded(), OfNovelty()), ())
RARE = (FacetFilter("genres", ("jazz",)),)


def ignore(name: str, error: Exception) -> None:
    del name, error


def names(query: Query, stages: Stages = STAGES) -> tuple[list[str], list[str]]:
    found = shortlist(query, stages, ignore)
    assert len(set(found.objects.tolist())) == len(found.objects)
    assert set(found.objects.tolist()) <= set(found.sources)
    return [query.state.objects.string(o) for o in found.objects.tolist()], found.fallbacks


@pytest.mark.parametrize("asks", [{}, {"fall_back": True, "size": 1}])
def test_a_match_beyond_the_reach_of_the_sources_is_found(
    asked: Asked, asks: dict[str, object]
) -> None:
    first = replace(STAGES, source_limit=1)
    assert names(asked("eva"), first)[0] == ["a1"]
    assert names(asked("eva", facet_filters=RARE, **asks), first) == (["a2"], [])


def test_quotas_hold_unless_they_leave_the_list_short(asked: Asked) -> None:
    def found(size: int, quota: int) -> tuple[list[str], object]:
        query = asked("nobody knows them", size=size)
        made = shortlist(query, STAGES, ignore, {"popular": quota})
        return [query.state.objects.string(o) for o in made.objects.tolist()], made.quotas

    everything, _ = found(size=100, quota=100)
    assert len(everything) > 2
    assert found(size=2, quota=2) == (everything[:2], {"popular": 2})
    assert found(size=3, quota=2) == (everything, None)
    # All that there is lies within the quota: asking again would find no more.
    assert found(size=100, quota=50) == (everything, {"popular": 50})


def test_the_last_queue_does_not_decide_whether_quotas_hold(asked: Asked) -> None:
    stages = replace(STAGES, sources=(Queued(), *STAGES.sources))
    quotas = {"queue": 1, "popular": 2}
    first = asked("nobody knows them", size=3)
    listed = shortlist(first, stages, ignore, quotas).objects.tolist()
    # The best three of the first list: one of them lies beyond the quota of the popular.
    queued = tuple(first.state.objects.string(obj) for obj in listed[2::-1])
    again = asked("nobody knows them", size=3, queued_ids=queued)
    assert sorted(shortlist(again, stages, ignore, quotas).objects.tolist()) == sorted(listed)


def test_others_follow_where_matches_do_not_fill_the_list(asked: Asked) -> None:
    found, fallbacks = names(asked("eva", facet_filters=RARE, fall_back=True, size=3))
    assert found[0] == "a2"
    assert sorted(found) == ["a1", "a2", "a3", "b1", "b2"]
    assert fallbacks == ["facet filters: 1 objects match, what follows does not match"]


def test_other_wishes_hold_for_those_that_follow(asked: Asked) -> None:
    asks = {"facet_filters": RARE, "fall_back": True, "exclude_ids": ("b2",)}
    assert sorted(names(asked("bob", novelty=Novelty.NEW_ONLY, **asks))[0]) == ["a3"]
    assert sorted(names(asked("bob", pool="free", **asks))[0]) == ["a2", "b1"]


def test_named_candidates_follow_without_asking_twice(asked: Asked) -> None:
    query = asked("eva", facet_filters=RARE, fall_back=True, candidate_ids=("b1", "a2", "?"))
    found, fallbacks = names(query)
    assert sorted(found) == ["a2", "b1"]
    assert len(fallbacks) == 2
    strict = replace(query, request=replace(query.request, fall_back=False))
    assert names(strict)[0] == ["a2"]


def test_what_one_of_the_two_rounds_kept_was_not_removed(asked: Asked) -> None:
    stages = replace(STAGES, source_limit=1)
    query = asked("eva", facet_filters=RARE, fall_back=True, size=3)
    found = shortlist(query, stages, ignore)
    assert not set(found.removed) & set(found.objects.tolist())


def test_a_source_that_fails_in_both_rounds_is_named_once(asked: Asked) -> None:
    class Breaks:
        name = "broken"

        def propose(self, query: Query, limit: int) -> Proposals:
            del query, limit
            raise RuntimeError

    stages = replace(STAGES, sources=(Breaks(), *STAGES.sources))
    query = asked("eva", facet_filters=RARE, fall_back=True, size=3)
    assert names(query, stages)[1][0] == "source broken failed"
    assert len(names(query, stages)[1]) == 2
    assert np.isin(query.state.objects.get("a2"), shortlist(query, stages, ignore).objects)


def test_quotas_hold_unless_they_make_the_list_short(asked: Asked) -> None:
    quotas = {"popular": 2}
    filled = shortlist(asked("eva", size=2), STAGES, ignore, quotas)
    assert (len(filled.objects), filled.quotas) == (2, quotas)
    short = shortlist(asked("eva", size=3), STAGES, ignore, quotas)
    assert (len(short.objects), short.quotas) == (5, None)
    named = asked("eva", size=3, candidate_ids=("a1",))
    assert len(shortlist(named, STAGES, ignore, quotas).objects) == 1
