"""Item-to-item against a dense matrix, its ties, bounds and file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import BundleError
from core.log import Outcome
from core.retrieval import item_neighbours
from core.retrieval.item_neighbours import NEIGHBOURS, ItemNeighbours, build_item_neighbours
from core.state.events import Event
from core.state.state import State
from core.testing_logs import new_state


def state_of(met: NDArray[np.bool_], outcome: Outcome = Outcome.PLAY) -> State:
    """Objects become known in order, so that `o<i>` has index i + 1."""
    state = new_state()
    for obj in range(met.shape[1]):
        state.objects.add(f"o{obj}")
    for second, (user, obj) in enumerate(np.argwhere(met).tolist()):
        state.update(Event(f"u{user}", f"o{obj}", outcome, float(second)))
    return state


def dense_cosines(met: NDArray[np.bool_]) -> NDArray[np.float64]:
    sets = met.astype(float)
    count = sets.sum(axis=0)
    return np.asarray((sets.T @ sets) / np.sqrt(np.maximum(np.outer(count, count), 1)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 12), st.floats(0.1, 0.9))
@settings(max_examples=25, deadline=None)
def test_neighbours_are_those_of_the_dense_cosine(
    seed: int, n_users: int, n_objects: int, density: float
) -> None:
    met = np.random.default_rng(seed).random((n_users, n_objects)) < density
    state = state_of(met)
    if not met.any():
        return
    cosines, popular = dense_cosines(met), met.sum(axis=0) >= item_neighbours.MIN_USERS
    index = build_item_neighbours(state.arrays)
    for obj in range(n_objects):
        neighbours, values = index.of(obj + 1)
        expected = [
            other
            for other in range(n_objects)
            if other != obj and popular[obj] and popular[other] and cosines[obj, other] > 0
        ]
        assert sorted(neighbours.tolist()) == [other + 1 for other in expected]
        np.testing.assert_allclose(values, cosines[obj, neighbours - 1], rtol=1e-6)
        assert (np.diff(values) <= 0).all()


def test_equal_cosines_stand_in_order_of_index() -> None:
    met = np.ones((3, 6), bool)
    index = build_item_neighbours(state_of(met).arrays)
    for obj in range(1, 7):
        assert index.of(obj)[0].tolist() == [i for i in range(1, 7) if i != obj]


def test_no_object_is_its_own_neighbour_and_nobody_is_none() -> None:
    index = build_item_neighbours(state_of(np.ones((4, 5), bool)).arrays)
    for obj in range(6):
        assert obj not in index.of(obj)[0]
        assert 0 not in index.of(obj)[0]
    assert len(index.of(0)[0]) == 0


def test_an_object_of_one_user_is_no_evidence() -> None:
    met = np.array([[1, 1, 1], [1, 1, 0]], bool)
    index = build_item_neighbours(state_of(met).arrays)
    assert index.of(1)[0].tolist() == [2]
    assert index.of(3)[0].tolist() == []


def test_likes_without_a_meeting_do_not_count() -> None:
    state = state_of(np.ones((3, 3), bool), Outcome.LIKE)
    state.update(Event("u0", "o0", Outcome.PLAY, 100.0))
    assert not build_item_neighbours(state.arrays).neighbours.any()


def test_at_most_so_many_neighbours_are_kept_and_they_are_the_best() -> None:
    met = np.ones((4, NEIGHBOURS + 5), bool)
    met[3, : NEIGHBOURS + 4 : 2] = False
    index = build_item_neighbours(state_of(met).arrays)
    neighbours, values = index.of(NEIGHBOURS + 5)
    assert len(neighbours) == NEIGHBOURS
    assert values[0] == pytest.approx(1.0)
    all_values = np.delete(dense_cosines(met)[-1], -1)
    np.testing.assert_allclose(values, np.sort(all_values)[::-1][:NEIGHBOURS], rtol=1e-6)


def test_of_a_long_history_a_bounded_part_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_neighbours, "MAX_HISTORY", 3)
    met = np.ones((2, 6), bool)
    index = build_item_neighbours(state_of(met).arrays)
    with_neighbours = [obj for obj in range(1, 7) if len(index.of(obj)[0])]
    assert len(with_neighbours) == 3
    for obj in with_neighbours:
        assert len(index.of(obj)[0]) == 2


def test_later_objects_have_no_neighbours() -> None:
    index = build_item_neighbours(state_of(np.ones((3, 3), bool)).arrays)
    for obj in (len(index.neighbours), len(index.neighbours) + 100):
        neighbours, cosines = index.of(obj)
        assert (len(neighbours), len(cosines)) == (0, 0)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    index = build_item_neighbours(state_of(np.ones((3, 4), bool)).arrays)
    index.save(tmp_path)
    loaded = ItemNeighbours.load(tmp_path)
    assert np.array_equal(loaded.neighbours, index.neighbours)
    assert np.array_equal(loaded.cosines, index.cosines)


def test_a_damaged_or_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"item_neighbours\.safetensors cannot be read"):
        ItemNeighbours.load(tmp_path)
    (tmp_path / "item_neighbours.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BundleError, match=r"item_neighbours\.safetensors cannot be read"):
        ItemNeighbours.load(tmp_path)
