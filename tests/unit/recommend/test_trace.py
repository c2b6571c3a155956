"""Every object asked about left the list at one stage, and the trace says at which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from core.fates import Fate, SourcePlace, Stage, WhyNot
from core.recommend.contracts import Picked, Proposals, Query, Ranking, Reranker, Stages
from core.recommend.filters import NotExcluded
from core.recommend.pipeline import apply_filters, gather
from core.recommend.slate import rank
from core.recommend.sources import Queued
from core.recommend.trace import Trace

Asked = Callable[..., Query]
A1, A2, A3, B1, B2, N1 = range(1, 7)
SCORES = {A1: 0.9, A2: 0.8, A3: 0.7, B1: 0.6, B2: 0.5, N1: 0.4}


@dataclass(frozen=True)
class Says:
    """A source that says the same to everyone."""

    name: str
    objects: tuple[int, ...]

    def propose(self, query: Query, limit: int) -> Proposals:
        del query
        return Proposals(np.array(self.objects[:limit], np.int32))


@dataclass(frozen=True)
class Breaks:
    """A source that fails."""

    name: str = "broken"

    def propose(self, query: Query, limit: int) -> Proposals:
        del query, limit
        raise RuntimeError("the index is gone")


@dataclass(frozen=True)
class Without:
    """A reranker that leaves one object out."""

    obj: int
    name: str = "without"

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        del query
        return Picked(np.flatnonzero(ranking.objects != self.obj))


def probabilities(objects: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.array([SCORES[obj] for obj in objects.tolist()])


def followed(query: Query, stages: Stages, *names: str) -> WhyNot:
    """What a run of the pipeline says of these objects."""
    found = gather(query, stages, lambda *_: None)
    apply_filters(query, stages, found)
    trace = Trace.of(query, stages, found, names)
    slate = rank(query, stages.rerankers, found, probabilities(trace.scored))
    return trace.told(slate, probabilities(np.concatenate([trace.scored, trace.others])))


def fate(query: Query, stages: Stages, name: str) -> Fate:
    (only,) = followed(query, stages, name).fates
    return only


def stages(*objects: int, limit: int = 3, rerankers: tuple[Reranker, ...] = ()) -> Stages:
    return Stages((Says("one", objects),), (NotExcluded(),), rerankers, source_limit=limit)


def test_an_object_that_nobody_knows_is_unknown(asked: Asked) -> None:
    told = fate(asked("new"), stages(A1), "never heard of")
    assert (told.stage, told.probability, told.score_place) == (Stage.UNKNOWN, None, None)


def test_an_object_that_no_source_proposed_is_told_where_it_would_come(asked: Asked) -> None:
    told = fate(asked("new"), stages(A1, A2, A3, B1), "b1")
    assert told.stage is Stage.NOT_PROPOSED
    assert told.sources == (SourcePlace("one", 4, 3, proposed=False),)
    assert (told.probability, told.score_place, told.rank) == (0.6, 4, None)
    assert told.why == (
        "no source proposed it: one has it at place 4, and was asked for 3; "
        "its score would have been 0.6000, place 4 of 3"
    )


def test_an_object_beyond_the_sight_of_all_sources_says_so(asked: Asked) -> None:
    told = fate(asked("new"), stages(A1, A2), "n1")
    assert told.stage is Stage.NOT_PROPOSED
    assert told.sources == (SourcePlace("one", None, 3, proposed=False),)
    assert "nor would any if asked for 10 times as many" in told.why


def test_what_was_not_proposed_is_told_which_filters_refuse_it(asked: Asked) -> None:
    told = fate(asked("new", exclude_ids=("n1",)), stages(A1), "n1")
    assert (told.stage, told.removed_by) == (Stage.NOT_PROPOSED, "")
    assert told.refused_by == ("excluded",)
    assert "the filter 'excluded' would have removed it anyway" in told.why


def test_what_a_filter_removed_names_it(asked: Asked) -> None:
    told = fate(asked("new", exclude_ids=("a2",)), stages(A1, A2, A3), "a2")
    assert (told.stage, told.removed_by) == (Stage.FILTERED, "excluded")
    assert told.why.startswith("the filter 'excluded' removed it")
    assert told.sources[0].proposed


def test_what_lies_beyond_the_limit_of_its_sources_says_so(asked: Asked) -> None:
    # One more is asked for than the limit, since the filter may take one; it took none of these.
    told = fate(asked("new", exclude_ids=("n1",)), stages(A1, A2, A3, limit=2), "a3")
    assert (told.stage, told.removed_by) == (Stage.BEYOND_LIMIT, "")
    assert told.sources == (SourcePlace("one", 3, 3, proposed=True),)


def test_what_a_reranker_left_out_names_it_and_its_score(asked: Asked) -> None:
    told = fate(asked("new"), stages(A1, A2, A3, rerankers=(Without(A2),)), "a2")
    assert (told.stage, told.removed_by) == (Stage.RERANKED, "without")
    assert (told.probability, told.score_place, told.rank) == (0.8, 2, None)
    assert "place 2 of 3; then the reranker 'without' left it out" in told.why


def test_what_came_below_the_end_is_told_its_place(asked: Asked) -> None:
    told = fate(asked("new", size=2), stages(A1, A2, A3), "a3")
    assert (told.stage, told.score_place, told.rank) == (Stage.BELOW_END, 3, None)
    assert told.why == ("scored 0.7000, place 3 of 3: below the end of the list, which has 2 items")


def test_what_is_listed_has_a_rank(asked: Asked) -> None:
    told = fate(asked("new"), stages(A1, A2, A3), "a2")
    assert (told.stage, told.score_place, told.rank) == (Stage.LISTED, 2, 2)


def test_where_candidates_are_named_the_others_are_none_of_them(asked: Asked) -> None:
    told = fate(asked("new", candidate_ids=("a1", "a2")), stages(A1, B1), "b1")
    assert (told.stage, told.sources) == (Stage.NOT_PROPOSED, ())
    assert told.why.startswith("the request names its candidates, and it is none of them")


def test_objects_are_followed_in_the_order_asked_without_repeats(asked: Asked) -> None:
    answer = followed(asked("new", size=2), stages(A1, A2, A3), "a3", "x", "a1", "a3")
    assert [told.object_id for told in answer.fates] == ["a3", "x", "a1"]
    assert (answer.n_scored, answer.n_listed) == (3, 2)


def test_a_source_that_fails_is_passed_over_and_named_among_the_fallbacks(asked: Asked) -> None:
    two = Stages((Breaks(), Says("one", (A1,))), (), ())
    answer = followed(asked("ann"), two, "a1")
    assert [place.source for place in answer.fates[0].sources] == ["one"]
    assert answer.fallbacks == ("source broken failed",)


@pytest.mark.parametrize("size", [1, 3, 6])
def test_every_object_is_at_exactly_one_stage_and_the_listed_are_the_list(
    asked: Asked, size: int
) -> None:
    query = asked("new", size=size, exclude_ids=("a2",))
    steps = stages(A1, A2, A3, B1, B2, limit=4, rerankers=(Without(B1),))
    names = ("a1", "a2", "a3", "b1", "b2", "n1")
    answer = followed(query, steps, *names)
    ranked = sorted((told.rank, told.object_id) for told in answer.fates if told.rank)
    assert [rank for rank, _ in ranked] == list(range(1, answer.n_listed + 1))
    assert [name for _, name in ranked] == ["a1", "a3", "b2"][:size]
    by_name = {told.object_id: told.stage for told in answer.fates}
    assert by_name["a2"] is Stage.FILTERED
    assert by_name["b1"] is Stage.RERANKED
    assert by_name["n1"] is Stage.NOT_PROPOSED


# The stored queue as a source


def test_the_queue_proposes_what_it_kept_in_its_order(asked: Asked) -> None:
    query = asked("ann", queued_ids=("b2", "never heard of", "a1", "b2", "n1"))
    assert Queued().propose(query, 10).objects.tolist() == [B2, A1, N1]
    assert Queued().propose(query, 2).objects.tolist() == [B2, A1]


def test_the_queue_proposes_only_what_the_request_allows(asked: Asked) -> None:
    query = asked("ann", pool="free", queued_ids=("b2", "b1", "a2"))
    assert Queued().propose(query, 10).objects.tolist() == [B1, A2]


def test_no_queue_proposes_nothing(asked: Asked) -> None:
    assert len(Queued().propose(asked("ann"), 10).objects) == 0
