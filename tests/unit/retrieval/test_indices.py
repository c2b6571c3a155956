"""Each index against what it is defined as, on logs small enough to work out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.content import unit_vectors
from core.log import Entities, Outcome
from core.retrieval import segments as segments_module
from core.retrieval.als import FACTORS, REGULARISATION, AlsFactors, fit_als
from core.retrieval.bpr import fit_bpr
from core.retrieval.index import Retrieval, fit_retrieval
from core.retrieval.latent import fit_latent_index
from core.retrieval.meetings import meetings_of
from core.retrieval.popularity import popularity
from core.retrieval.segments import fit_segments
from core.retrieval.similar_users import fit_similar_users
from core.retrieval.weighted_neighbours import fit_weighted_neighbours
from core.state.events import Event
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.state import State
from core.testing_logs import new_state, random_content, random_tables

DAY_S = 86400.0


def state_of(meetings: list[tuple[str, str]], step_s: float = 1.0) -> State:
    state = new_state()
    for i, (user, obj) in enumerate(meetings):
        state.update(Event(user, obj, Outcome.PLAY, i * step_s))
    return state


def two_tastes(users: int = 8) -> State:
    """Even users meet e1 to e3, odd ones o1 to o3; everybody leaves out one of them in turn."""
    meetings = []
    for user in range(users):
        kind = "e" if user % 2 == 0 else "o"
        meetings += [(f"u{user}", f"{kind}{i}") for i in range(1, 4) if i != user // 2 % 3 + 1] * 2
    return state_of(meetings)


def random_state(seed: int) -> State:
    tables = random_tables(seed, n_events=150, n_users=8, n_objects=12)
    log = tables.log()
    content = random_content(seed, log.objects.ids)
    state = new_state(content=content)
    replay = Replay(state, state.log_arrays(log))
    state.add_content(content)
    replay.run(len(log))
    fit_latent(state, seed)
    return state


def test_meetings_count_and_fade_as_of_the_latest_of_each_user() -> None:
    state = state_of([("ann", "a"), ("ann", "b"), ("bob", "a"), ("ann", "b")], DAY_S)
    meetings = meetings_of(state)
    ann, bob = state.users.get("ann"), state.users.get("bob")
    a, b = state.objects.get("a"), state.objects.get("b")
    assert meetings.counts[ann, b] == 2
    assert meetings.counts.nnz == 3
    # The longest half-life is a day: a was met three days before Ann's latest meeting.
    assert meetings.decayed[ann, a] == pytest.approx(1 / 8)
    assert meetings.decayed[ann, b] == pytest.approx(1 + 1 / 4)
    assert meetings.decayed[bob, a] == pytest.approx(1.0)


def test_popularity_fades_and_never_ends() -> None:
    state = state_of([("ann", "a"), ("bob", "a"), ("bob", "b")])
    state.objects.add("never met")
    later = popularity(state, 1, 2.0 + 100 * DAY_S)
    assert later[state.objects.get("a")] > later[state.objects.get("b")] > 0.0
    assert popularity(state, 1, 1e12)[state.objects.get("a")] > 0.0
    assert later[state.objects.get("never met")] == 0.0


def test_als_folds_a_user_in_by_the_ridge_solution_of_the_paper() -> None:
    state = two_tastes()
    index = fit_als(meetings_of(state), seed=0)
    met = np.array([state.objects.get("e1"), state.objects.get("o2")], np.int32)
    counts = np.array([2, 5])
    vectors = index.objects.vectors.astype(np.float64)
    confidence = np.ones(len(vectors))
    confidence[met] += np.log1p(counts)
    preference = np.zeros(len(vectors))
    preference[met] = 1.0
    left = vectors.T @ np.diag(confidence) @ vectors + REGULARISATION * np.eye(FACTORS)
    expected = np.linalg.solve(left, vectors.T @ (confidence * preference))
    np.testing.assert_allclose(index.fold_in(met, counts), expected, rtol=1e-6, atol=1e-9)
    assert not index.fold_in(met[:0], counts[:0]).any()
    later = np.array([10_000], np.int32)
    assert not index.fold_in(later, np.array([3])).any()


def closer(scores: NDArray[np.floating], state: State, near: str, far: str) -> bool:
    return bool(scores[state.objects.get(near)] > scores[state.objects.get(far)])


def test_every_index_draws_a_new_user_to_the_taste_of_what_they_met() -> None:
    state = two_tastes(60)
    meetings = meetings_of(state)
    popular = popularity(state, -1, state.clock_s)
    met = np.array([state.objects.get("e1")], np.int32)
    one, weight = np.ones(1, np.int64), np.ones(1)
    als = fit_als(meetings, 0)
    assert closer(als.objects.vectors @ als.fold_in(met, one), state, "e2", "o2")
    bpr = fit_bpr(meetings, popular, 0)
    assert closer(bpr.objects.vectors @ bpr.fold_in(met), state, "e2", "o2")
    assert closer(fit_weighted_neighbours(meetings).sum_of(met, weight), state, "e2", "o2")
    similar = fit_similar_users(meetings, 0)
    taste = similar.taste_of(met, weight)
    assert closer(similar.frequencies(taste, 0, 10), state, "e2", "o2")


def test_similar_users_mean_what_the_nearest_do_and_leave_out_who_asks() -> None:
    state = state_of(
        [("ann", "a"), ("bob", "a"), ("bob", "b"), ("cid", "c"), ("dan", "c"), ("dan", "d")]
    )
    index = fit_similar_users(meetings_of(state), 0)
    ann = state.users.get("ann")
    taste = index.taste_of(np.array([state.objects.get("a")], np.int32), np.ones(1))
    # Bob is the only other user who points anywhere near: what he does is the mean.
    means = index.frequencies(taste, ann, 2)
    found = {state.objects.string(int(i)) for i in np.flatnonzero(means > 1e-3)}
    assert found == {"a", "b"}
    np.testing.assert_allclose(means[means > 1e-3], 1.0, rtol=1e-3)


def test_weighted_neighbours_never_name_the_object_itself_and_the_nearest_counts_one() -> None:
    index = fit_weighted_neighbours(meetings_of(two_tastes(20)))
    for obj in range(len(index)):
        span = slice(index.starts[obj], index.starts[obj + 1])
        assert obj not in index.objects[span]
        if span.stop > span.start:
            assert index.weights[span].max() == pytest.approx(1.0)


def test_segments_are_tastes_and_their_shares_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments_module, "USERS_PER_SEGMENT", 4)
    state = two_tastes(8)
    meetings = meetings_of(state)
    similar = fit_similar_users(meetings, 0)
    popular = popularity(state, -1, state.clock_s)
    index = fit_segments(state, meetings, popular, similar.users.vectors, 0)
    assert len(index.centres) == 2
    for near, far in ("eo", "oe"):
        met = np.array([state.objects.get(f"{near}1")], np.int32)
        segment = index.segment_of(similar.taste_of(met, np.ones(1)))
        shares = index.by_taste.sum_of(np.array([segment]), np.ones(1))
        assert shares.sum() == pytest.approx(1.0)
        assert shares[state.objects.get(f"{near}2")] > 0.0
        assert shares[state.objects.get(f"{far}2")] == 0.0
    assert index.segment_of(np.zeros(index.centres.shape[1])) == -1


def test_popular_by_attribute_and_context_are_shares_of_their_meetings() -> None:
    state = new_state()
    texts = {"city": np.array(["rome", "rome", "oslo"], object)}
    numbers = {name: np.full(3, np.nan) for name in ("age", "joined_at")}
    users = Entities(("ann", "bob", "cid"), texts | numbers)
    names = ("language", "artist", "genres")
    columns = {name: np.array([], object) for name in names}
    columns |= {name: np.array([]) for name in ("length", "released_at")}
    state.add_entities(users, Entities((), columns), {})
    for i, (user, obj) in enumerate([("ann", "a"), ("bob", "b"), ("bob", "a"), ("cid", "c")]):
        state.update(Event(user, obj, Outcome.PLAY, float(i), {"device": "phone"} if i else {}))
    meetings = meetings_of(state)
    popular = popularity(state, -1, state.clock_s)
    tastes = fit_similar_users(meetings, 0).users.vectors
    index = fit_segments(state, meetings, popular, tastes, 0)
    rome = state.user_values(state.users.get("ann"), {})
    assert rome.tolist() == state.user_values(0, {"city": "rome"}).tolist()
    shares = index.by_attribute.sum_of(rome, np.ones(1))
    a, b, c = (state.objects.get(i) for i in "abc")
    np.testing.assert_allclose(shares[[a, b, c]], [2 / 3, 1 / 3, 0.0], rtol=1e-4)
    phone = state.names.context_values({"device": "phone"})[1:]
    np.testing.assert_allclose(
        index.by_context.sum_of(phone, np.ones(1))[[a, b, c]], [1 / 3] * 3, rtol=1e-6
    )


def test_objects_are_clustered_by_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments_module, "OBJECTS_PER_CLUSTER", 2)
    content = unit_vectors(
        "sound", ("a", "b", "c", "d"), np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    )
    state = new_state(content=content)
    state.add_content(content)
    state.update(Event("ann", "silent", Outcome.PLAY, 0.0))
    index = fit_retrieval(state, seed=0).segments
    cluster = {i: index.clusters[state.objects.get(i)] for i in ("a", "b", "c", "d", "silent")}
    assert cluster["a"] == cluster["b"] != cluster["c"] == cluster["d"]
    assert cluster["silent"] == -1


def test_the_latent_index_is_for_large_catalogues_alone() -> None:
    state = random_state(0)
    assert fit_latent_index(state, 0) is None
    index = fit_latent_index(state, 0, exact_up_to=3)
    assert index is not None
    assert index.search is not None
    assert len(index.vectors) == state.objects.end


@pytest.mark.parametrize("meetings", [[], [("ann", "a")], [("ann", "a"), ("ann", "b")]])
def test_the_smallest_logs_have_indices_too(
    meetings: list[tuple[str, str]], tmp_path: Path
) -> None:
    retrieval = fit_retrieval(state_of(meetings), seed=0)
    retrieval.save(tmp_path)
    Retrieval.load(tmp_path)


def test_the_same_seed_makes_the_same_files_and_they_load_as_they_were(tmp_path: Path) -> None:
    first, second, again = (tmp_path / name for name in ("first", "second", "again"))
    for directory in (first, second, again):
        directory.mkdir()
    fit_retrieval(random_state(3), seed=5).save(first)
    fit_retrieval(random_state(3), seed=5).save(second)
    Retrieval.load(first).save(again)
    names = sorted(file.name for file in first.iterdir())
    assert len(names) >= 8
    for directory in (second, again):
        assert sorted(file.name for file in directory.iterdir()) == names
        for name in names:
            assert (directory / name).read_bytes() == (first / name).read_bytes(), name


def test_fitting_reads_the_state_and_tells_its_progress() -> None:
    state = random_state(1)
    before = [np.copy(part) for part in state.arrays.user_object]
    told: list[tuple[str, float]] = []
    fit_retrieval(state, 0, lambda name, done: told.append((name, done)))
    for part, old in zip(state.arrays.user_object, before, strict=True):
        np.testing.assert_array_equal(part, old)
    assert [done for _, done in told] == [0.0, 1.0] * (len(told) // 2)
    assert {"ALS", "BPR", "similar users", "segments"} <= {name for name, _ in told}


def test_als_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    index = fit_als(meetings_of(two_tastes()), seed=0)
    index.save(tmp_path)
    loaded = AlsFactors.load(tmp_path)
    met, counts = np.array([1, 2], np.int32), np.array([1, 4])
    assert np.array_equal(loaded.fold_in(met, counts), index.fold_in(met, counts))
