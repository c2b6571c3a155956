"""The frame of the pipeline: what it promises whatever the stages do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.recommend.contracts import Picked, Proposals, Query, Ranking, Source, Stages
from core.recommend.filters import NotExcluded
from core.recommend.pipeline import Candidates, apply_filters, gather
from core.recommend.slate import rank
from core.requests import Slate
from core.state.state import State

Asked = Callable[..., Query]
A1, A2, A3, B1, B2, N1 = range(1, 7)


@dataclass(frozen=True)
class Says:
    """A source that says the same to everyone."""

    name: str
    objects: tuple[int, ...]
    reasons: tuple[str, ...] = ()

    def propose(self, query: Query, limit: int) -> Proposals:
        del query
        return Proposals(np.array(self.objects[:limit], np.int32), self.reasons[:limit])


@dataclass(frozen=True)
class Breaks:
    """A stage that fails."""

    name: str = "broken"

    def propose(self, query: Query, limit: int) -> Proposals:
        del query, limit
        raise RuntimeError("the index is gone")

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        del query, objects
        raise RuntimeError("the index is gone")


@dataclass(frozen=True)
class Without:
    """A filter that removes some objects."""

    name: str
    objects: tuple[int, ...]

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        del query
        return ~np.isin(objects, self.objects)


@dataclass(frozen=True)
class Short:
    """A filter that forgets the last candidate."""

    name: str = "short"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        del query
        return np.ones(len(objects) - 1, bool)


@dataclass(frozen=True)
class Picks:
    """A reranker that picks fixed positions."""

    positions: tuple[int, ...]
    name: str = "picks"

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        del query, ranking
        return Picked(np.array(self.positions, np.intp))


def stages(*sources: Source, limit: int = 200) -> Stages:
    return Stages(sources, (), (), source_limit=limit)


def ignore(name: str, error: Exception) -> None:
    del name, error


def candidates(*objects: int) -> Candidates:
    return Candidates(np.array(objects, np.int32), {o: ["s"] for o in objects}, {}, [])


def ids(slate: Slate) -> list[str]:
    return [item.object_id for item in slate.items]


def test_candidates_are_the_union_of_the_sources_with_all_who_proposed_them(asked: Asked) -> None:
    found = gather(
        asked("ann"),
        stages(Says("one", (A1, B1), ("r1", "r2")), Says("two", (B1, A3)), Says("none", ())),
        ignore,
    )
    assert found.objects.tolist() == [A1, B1, A3]
    assert found.sources == {A1: ["one"], B1: ["one", "two"], A3: ["two"]}
    assert found.reasons == {A1: ["r1"], B1: ["r2"]}
    assert found.fallbacks == []


def test_a_source_keeps_no_more_than_its_limit(asked: Asked) -> None:
    query, only = asked("new"), stages(Says("one", (A1, A2, A3)), Says("two", (B1,)), limit=2)
    found = gather(query, only, ignore)
    apply_filters(query, only, found)
    assert found.objects.tolist() == [A1, A2, B1]


def test_what_filters_refuse_does_not_count_against_the_limit(asked: Asked) -> None:
    query = asked("new", exclude_ids=("a1", "a2"))
    only = Stages((Says("one", (A1, A2, A3, B1, B2)),), (NotExcluded(),), (), source_limit=2)
    found = gather(query, only, ignore)
    apply_filters(query, only, found)
    assert found.objects.tolist() == [A3, B1]


def test_a_source_that_fails_is_left_out_reported_and_named(asked: Asked) -> None:
    reported: list[tuple[str, Exception]] = []
    found = gather(
        asked("ann"),
        stages(Says("one", (A1,)), Breaks(), Says("two", (B1,))),
        lambda name, error: reported.append((name, error)),
    )
    assert found.objects.tolist() == [A1, B1]
    assert found.fallbacks == ["source broken failed"]
    assert [(name, str(error)) for name, error in reported] == [("broken", "the index is gone")]


@pytest.mark.parametrize(
    "broken",
    [
        Says("broken", (A2, A3), ("only one reason",)),
        Says("broken", (A2, A2)),
        Says("broken", (0, A2)),
        Says("broken", (A2, -1)),
        Says("broken", (A2, 10_000)),
    ],
    ids=["reasons missing", "twice", "nobody", "negative", "unknown"],
)
def test_a_source_that_breaks_its_contract_counts_as_failed(asked: Asked, broken: Says) -> None:
    reported: list[str] = []
    found = gather(
        asked("ann"),
        stages(broken, Says("one", (A1,))),
        lambda name, error: reported.append(f"{name}: {error}"),
    )
    assert found.objects.tolist() == [A1]
    assert found.fallbacks == ["source broken failed"]
    assert len(reported) == 1


def test_when_all_sources_fail_the_list_is_empty_and_says_so(asked: Asked) -> None:
    query = asked("ann")
    found = gather(query, stages(Breaks("one"), Breaks("two")), ignore)
    slate = rank(query, (), found, np.zeros(0))
    assert slate.items == ()
    assert slate.fallbacks == ("source one failed", "source two failed")


def test_a_new_user_is_named_among_the_fallbacks(asked: Asked) -> None:
    found = gather(asked("new"), stages(Says("one", (A1,))), ignore)
    assert found.fallbacks == ["new user: nothing of the past is known"]


def test_named_candidates_silence_the_sources(asked: Asked) -> None:
    query = asked("ann", candidate_ids=("b2", "a1", "unheard", "b2"))
    found = gather(query, stages(Breaks()), ignore)
    assert found.objects.tolist() == [B2, A1]
    assert found.sources == {B2: ["request"], A1: ["request"]}
    assert found.fallbacks == ["1 unknown candidate ids left out"]


def test_each_removal_names_the_first_filter_that_removed(asked: Asked) -> None:
    found = candidates(A1, A2, B1, B2)
    refusing = (Without("first", (A1, B1)), Without("second", (B1, B2)))
    apply_filters(asked("ann"), Stages((), refusing, ()), found)
    assert found.objects.tolist() == [A2]
    assert found.removed == {A1: "first", B1: "first", B2: "second"}


def test_a_filter_that_fails_fails_the_call(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="the index is gone"):
        apply_filters(asked("ann"), Stages((), (Breaks(),), ()), candidates(A1, A2))


def test_a_filter_of_another_length_fails_the_call_by_name(asked: Asked) -> None:
    with pytest.raises(ValueError, match="stage 'short' must answer 2 rows, got 1"):
        apply_filters(asked("ann"), Stages((), (Short(),), ()), candidates(A1, A2))


def test_scores_of_another_length_fail_the_call(asked: Asked) -> None:
    with pytest.raises(ValueError, match="stage 'scorer' must answer 2 rows, got 3"):
        rank(asked("ann"), (), candidates(A1, A2), np.zeros(3))


@pytest.mark.parametrize("positions", [(0, 0), (2,), (-1,)], ids=["twice", "beyond", "before"])
def test_a_reranker_that_picks_what_is_not_there_fails_the_call_by_name(
    asked: Asked, positions: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="'picks' must pick distinct positions"):
        rank(asked("ann"), (Picks(positions),), candidates(A1, A2), np.array([0.5, 0.4]))


def test_items_come_by_falling_probability_with_ties_by_index(asked: Asked) -> None:
    slate = rank(asked("ann"), (), candidates(B2, B1, A1), np.array([0.5, 0.7, 0.5]))
    assert [(item.object_id, item.probability) for item in slate.items] == [
        ("b1", 0.7),
        ("a1", 0.5),
        ("b2", 0.5),
    ]


@given(
    order=st.permutations([A1, A2, A3, B1, B2, N1]),
    levels=st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=6, max_size=6),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_order_in_which_candidates_come_changes_nothing(
    asked: Asked, order: list[int], levels: list[float]
) -> None:
    query = asked("ann")
    plain = rank(query, (), candidates(A1, A2, A3, B1, B2, N1), np.array(levels))
    permuted = rank(query, (), candidates(*order), np.array([levels[o - 1] for o in order]))
    assert permuted.items == plain.items


def test_scores_that_are_no_numbers_sink_to_the_end(asked: Asked) -> None:
    scores = np.array([np.nan, 0.0, np.inf, 0.3])
    slate = rank(asked("ann"), (), candidates(A1, A2, A3, B1), scores)
    assert ids(slate) == ["b1", "a2", "a1", "a3"]
    assert [item.probability for item in slate.items] == [0.3, 0.0, 0.0, 0.0]


def test_the_slate_has_the_size_asked_after_the_rerankers(asked: Asked) -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    query = asked("ann", size=2)
    assert ids(rank(query, (), candidates(A1, A2, A3, B1), scores)) == ["a1", "a2"]
    slate = rank(query, (Picks((0, 3, 2)),), candidates(A1, A2, A3, B1), scores)
    assert ids(slate) == ["a1", "b1"]
    # Cut by size is not removed; left out by a reranker is.
    assert slate.removed == {"a2": "picks"}


def test_rerankers_follow_each_other(asked: Asked) -> None:
    scores = np.array([0.9, 0.8, 0.7])
    steps = (Picks((2, 0), "swap"), Picks((1,), "last"))
    slate = rank(asked("ann"), steps, candidates(A1, A2, A3), scores)
    assert ids(slate) == ["a1"]
    assert slate.removed == {"a2": "swap", "a3": "last"}


def test_items_say_where_they_come_from(state: State, asked: Asked) -> None:
    del state
    query = asked("ann")
    found = gather(
        query, stages(Says("one", (A1, B1), ("new", "near")), Says("two", (B1,), ("hot",))), ignore
    )
    slate = rank(query, (), found, np.array([0.1, 0.2]))
    assert [(i.object_id, i.sources, i.reasons) for i in slate.items] == [
        ("b1", ("one", "two"), ("near", "hot")),
        ("a1", ("one",), ("new",)),
    ]
