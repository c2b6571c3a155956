"""Sources over fitted indices: what each proposes and says of candidates, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.log import Entities, Outcome
from core.recommend.contracts import Query, Scoring, Source
from core.recommend.sources import (
    Als,
    Bpr,
    ContentNearest,
    FacetNearest,
    ItemToItem,
    LatentNearest,
    New,
    Popular,
    PopularInContext,
    PopularInSegment,
    SimilarUsers,
    WeightedItemToItem,
)
from core.recommend.sources.history import history_of
from core.requests import RecommendRequest, UserRef
from core.retrieval.index import Retrieval, fit_retrieval
from core.state.arrays import DISTINCT
from core.state.events import Event
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.state import State
from core.testing_logs import new_state, random_content, random_tables

Asked = Callable[..., Query]
POPULAR = Popular(half_life=1, half_lives=2)
SOURCES: tuple[Source, ...] = (
    POPULAR,
    PopularInSegment(),
    PopularInContext(),
    Als(),
    Bpr(),
    ItemToItem(),
    WeightedItemToItem(),
    SimilarUsers(),
    LatentNearest(),
    ContentNearest(),
    FacetNearest(),
    New(),
)
SCORING = tuple(source for source in SOURCES if isinstance(source, Scoring))


def named(query: Query, source: Source, limit: int = 100) -> list[str]:
    objects = source.propose(query, limit).objects
    return [query.state.objects.string(obj) for obj in objects.tolist()]


@cache
def world(seed: int) -> tuple[State, Retrieval]:
    """A random log with content, fitted when 120 of its 160 events had passed."""
    log = random_tables(seed, n_events=160, n_users=8, n_objects=14).log()
    content = random_content(seed, log.objects.ids)
    state = new_state(content=content)
    replay = Replay(state, state.log_arrays(log))
    state.add_content(content)
    replay.run(120)
    fit_latent(state, seed)
    retrieval = fit_retrieval(state, seed)
    replay.run(len(log))
    state.update(Event("late user", "late object", Outcome.PLAY, state.clock_s + 1.0))
    return state, retrieval


def query_of(seed: int, user: int, *, pool: bool = False) -> Query:
    state, retrieval = world(seed)
    members = np.zeros(len(state.arrays.objects.counts), bool)
    members[::2] = True
    return Query(
        RecommendRequest(UserRef("", {"city": "rome"}), context={"device": "phone"}),
        state,
        retrieval,
        user % state.users.end,
        state.clock_s + 5.0,
        state.clock_s + 5.0,
        members if pool else None,
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@given(st.integers(0, 3), st.integers(0, 20), st.integers(1, 20), st.booleans())
@settings(max_examples=15, deadline=None)
def test_proposals_are_distinct_known_of_the_pool_and_have_their_reasons(
    source: Source, seed: int, user: int, limit: int, pool: bool
) -> None:
    query = query_of(seed, user, pool=pool)
    found = source.propose(query, limit)
    objects = found.objects
    assert objects.dtype == np.int32
    assert len(objects) <= limit
    assert len(set(objects.tolist())) == len(objects)
    assert ((objects > 0) & (objects < query.state.objects.end)).all()
    assert query.pool is None or query.pool[objects].all()
    assert len(found.reasons) == len(objects)
    assert all(found.reasons)
    longer = source.propose(query, 100).objects
    assert longer[: len(objects)].tolist() == objects.tolist()


@pytest.mark.parametrize("source", SCORING, ids=lambda source: source.name)
@given(st.integers(0, 3), st.integers(0, 20), st.data())
@settings(max_examples=15, deadline=None)
def test_scores_do_not_depend_on_the_other_candidates_nor_on_their_order(
    source: Scoring, seed: int, user: int, data: st.DataObject
) -> None:
    query = query_of(seed, user)
    everything = np.arange(query.state.objects.end, dtype=np.int32)
    whole = source.scores(query, everything)
    assert whole.shape == (len(everything), len(source.columns))
    assert whole.dtype == np.float32
    assert not np.isinf(whole).any()
    some = np.array(data.draw(st.lists(st.sampled_from(everything.tolist()))), np.int32)
    np.testing.assert_array_equal(source.scores(query, some), whole[some])


@given(st.integers(0, 3), st.integers(0, 20), st.booleans(), st.permutations(SOURCES))
@settings(max_examples=30, deadline=None)
def test_what_is_read_once_for_all_sources_is_what_each_would_read(
    seed: int, user: int, pool: bool, order: list[Source]
) -> None:
    shared = query_of(seed, user, pool=pool)
    everything = np.arange(shared.state.objects.end, dtype=np.int32)
    for source in order:
        fresh = query_of(seed, user, pool=pool)
        asked, alone = source.propose(shared, 20), source.propose(fresh, 20)
        np.testing.assert_array_equal(asked.objects, alone.objects)
        assert asked.reasons == alone.reasons
        if isinstance(source, Scoring):
            said = source.scores(shared, everything)
            fresh = query_of(seed, user, pool=pool)
            np.testing.assert_array_equal(said, source.scores(fresh, everything))


def test_a_query_computes_once_and_a_changed_one_anew() -> None:
    query = query_of(0, 1)
    assert query.once("key", lambda: 1) == 1
    assert query.once("key", lambda: 2) == 1
    assert query.once("other", lambda: 3) == 3
    assert replace(query, user=2).once("key", lambda: 4) == 4


def test_what_could_not_be_computed_is_tried_again() -> None:
    query = query_of(0, 1)
    with pytest.raises(ZeroDivisionError):
        query.once("key", lambda: 1 // 0)
    assert query.once("key", lambda: 1) == 1


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_loaded_indices_answer_as_they_did(source: Source, tmp_path: Path) -> None:
    state, retrieval = world(1)
    retrieval.save(tmp_path)
    loaded = Retrieval.load(tmp_path)
    everything = np.arange(state.objects.end, dtype=np.int32)
    for user in range(state.users.end):
        query = query_of(1, user)
        again = Query(query.request, state, loaded, user, query.now_s, query.user_now_s, query.pool)
        first, second = source.propose(query, 100), source.propose(again, 100)
        assert first.objects.tolist() == second.objects.tolist()
        assert first.reasons == second.reasons
        if isinstance(source, Scoring):
            np.testing.assert_array_equal(
                source.scores(query, everything), source.scores(again, everything)
            )


def test_columns_of_all_sources_are_distinct() -> None:
    columns = [column for source in SCORING for column in source.columns]
    assert len(set(columns)) == len(columns)
    assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_a_new_user_without_attributes_gets_what_is_popular_alone(asked: Asked) -> None:
    query = asked("nobody has heard of me")
    speaking = {source.name for source in SOURCES if len(source.propose(query, 100).objects)}
    assert speaking == {"popular"}


def test_what_a_new_user_tells_of_themselves_has_a_segment() -> None:
    state = new_state()
    cities = {"city": np.array(["rome", "rome", "oslo"], object)}
    numbers = {name: np.full(3, np.nan) for name in ("age", "joined_at")}
    names = ("language", "artist", "genres", "length", "released_at")
    nothing = Entities((), {name: np.array([], object) for name in names})
    state.add_entities(Entities(("ann", "bob", "cid"), cities | numbers), nothing, {})
    for user in ("ann", "bob"):
        state.update(Event(user, "a", Outcome.PLAY, 0.0))
    state.update(Event("cid", "b", Outcome.PLAY, 1.0))
    retrieval = fit_retrieval(state, 0)
    request = RecommendRequest(UserRef("new", {"city": "oslo"}))
    query = Query(request, state, retrieval, 0, 2.0, 2.0, None)
    found = PopularInSegment().propose(query, 10)
    assert named(query, PopularInSegment()) == ["b"]
    assert found.reasons == ("popular among people like you",)
    said = PopularInSegment().scores(query, np.array([state.objects.get("b")], np.int32))
    np.testing.assert_array_equal(said, [[np.nan, 1.0]])


def test_popular_in_context_takes_the_first_context_that_was_seen() -> None:
    state = new_state()
    for i, (obj, surface) in enumerate((("a", "home"), ("b", "search"), ("b", "search"))):
        state.update(Event(f"u{i}", obj, Outcome.PLAY, float(i), {"surface": surface}))
    retrieval = fit_retrieval(state, 0)

    def asked_in(**context: str) -> Query:
        return Query(
            RecommendRequest(UserRef("new"), context=context), state, retrieval, 0, 9.0, 9.0, None
        )

    assert named(asked_in(surface="search"), PopularInContext()) == ["b"]
    assert named(asked_in(surface="home"), PopularInContext()) == ["a"]
    reasons = PopularInContext().propose(asked_in(surface="home"), 5).reasons
    assert reasons == ("popular with surface home",)
    assert named(asked_in(surface="nowhere", device="phone"), PopularInContext()) == []
    assert named(asked_in(), PopularInContext()) == []


def test_popular_says_how_much_of_each_half_life_is_left(asked: Asked) -> None:
    query = asked("ann", now_s=8.0 + 3600.0)  # b2 was met last at second 8, and at second 6
    b2 = np.array([query.state.objects.get("b2")], np.int32)
    hour, day = POPULAR.scores(query, b2)[0]
    assert hour == pytest.approx(np.log1p(0.5 * (1 + 2 ** (-2 / 3600))), rel=1e-5)
    assert day == pytest.approx(np.log1p(2 ** (-1 / 24) * (1 + 2 ** (-2 / 86400))), rel=1e-5)


def test_item_to_item_says_the_sum_that_it_ranks_by(asked: Asked) -> None:
    query = asked("ann")
    objects = np.array([query.state.objects.get(i) for i in ("a1", "b1", "n1")], np.int32)
    recent, of_all = ItemToItem().scores(query, objects).T
    expected = [2 / 8**0.5, 1 / 6**0.5 + 0.9 / 12**0.5, 0.0]
    np.testing.assert_allclose(recent, expected, rtol=1e-6)
    # Both of Ann's objects were met once, a second apart: each counts a half.
    expected = [1 / 8**0.5, 0.5 / 6**0.5 + 0.5 / 12**0.5, 0.0]
    np.testing.assert_allclose(of_all, expected, rtol=1e-4)


def test_facet_nearest_proposes_more_of_what_is_chosen_and_never_what_was_met(
    asked: Asked,
) -> None:
    query = asked("ann")  # a1 and a2 of abba
    found = FacetNearest().propose(query, 100)
    assert not {"a1", "a2"} & set(named(query, FacetNearest()))
    at = named(query, FacetNearest()).index("a3")
    assert found.reasons[at] == "more of artist abba"
    objects = np.array([query.state.objects.get(i) for i in ("a3", "b2", "n1")], np.int32)
    lifts = FacetNearest().scores(query, objects)[:, 0]
    assert lifts[0] > lifts[1]
    assert np.isnan(lifts[2])


def test_new_proposes_what_few_have_met_and_nobody_but_near_the_taste() -> None:
    for seed in range(4):
        for user in range(9):
            query = query_of(seed, user)
            found = New(users=1).propose(query, 100).objects
            counts = query.state.arrays.objects.counts[found]
            assert (counts[:, DISTINCT] <= 1).all()
            assert not query.state.met(user, found).any()
    proposed = [named(query_of(seed, user), New()) for seed in range(4) for user in range(9)]
    assert any(proposed)


def test_a_meeting_moves_the_folded_in_sources_at_once() -> None:
    state = new_state()
    for i in range(40):
        for j in range(2):
            state.update(Event(f"u{i}", f"{'xy'[i % 2]}{j}", Outcome.PLAY, float(i)))
    fit_latent(state, 0)
    retrieval = fit_retrieval(state, 0)
    sources = (Als(), Bpr(), SimilarUsers(), WeightedItemToItem())
    for kind, time_s in (("x", 50.0), ("y", 60.0)):
        user = f"fan of {kind}"
        state.update(Event(user, f"{kind}0", Outcome.PLAY, time_s))
        query = Query(
            RecommendRequest(UserRef(user)),
            state,
            retrieval,
            state.users.get(user),
            70.0,
            70.0,
            None,
        )
        other = {"x": "y", "y": "x"}[kind]
        near, far = (np.array([state.objects.get(f"{k}1")], np.int32) for k in (kind, other))
        for source in sources:
            said = [float(source.scores(query, obj)[0, 0]) for obj in (near, far)]
            assert said[0] > said[1], source.name


def test_who_only_likes_has_a_history_that_an_unlike_takes_back(state: State, asked: Asked) -> None:
    for second, obj in enumerate(("a1", "a2")):
        state.update(Event("gus", obj, Outcome.LIKE, 13.0 + second))
    past = history_of(asked("gus"))
    assert [state.objects.string(obj) for obj in past.objects.tolist()] == ["a2", "a1"]
    assert past.counts.tolist() == [1, 1]
    assert past.decayed.tolist() == [1.0, 1.0]
    for source in (Als(), Bpr(), WeightedItemToItem(), SimilarUsers(), FacetNearest()):
        assert len(source.propose(asked("gus"), 10).objects), source.name
    for obj in ("a1", "a2"):
        state.update(Event("gus", obj, Outcome.UNLIKE, 15.0))
    assert not len(history_of(asked("gus")))


def test_a_liked_object_that_is_met_counts_its_meetings_alone(state: State, asked: Asked) -> None:
    state.update(Event("gus", "a1", Outcome.LIKE, 13.0))
    state.update(Event("gus", "b1", Outcome.DISLIKE, 14.0))
    state.update(Event("gus", "a1", Outcome.PLAY, 15.0))
    state.update(Event("gus", "a1", Outcome.PLAY, 16.0))
    past = history_of(asked("gus"))
    assert past.objects.tolist() == [state.objects.get("a1")]
    assert past.counts.tolist() == [2]
