"""Products of sparse matrices by two threads are SciPy's, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from core.state import products
from core.state.products import RowMatrix


@pytest.fixture(autouse=True)
def always_two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_MIN_ENTRIES", 0)


def some_matrix(rows: int, columns: int, seed: int = 0) -> csr_matrix:
    rng = np.random.default_rng(seed)
    full = np.where(rng.random((rows, columns)) < 0.3, rng.normal(size=(rows, columns)), 0.0)
    return csr_matrix(full.astype(np.float32))


@pytest.mark.parametrize(("rows", "columns"), [(40, 30), (1, 30), (40, 1), (3, 500)])
def test_both_ways_round(rows: int, columns: int) -> None:
    rng = np.random.default_rng(1)
    matrix = some_matrix(rows, columns)
    dense = rng.normal(size=(columns, 7)).astype(np.float32)
    other = rng.normal(size=(rows, 7)).astype(np.float32)
    fast = RowMatrix(matrix)
    assert (fast @ dense).tobytes() == (matrix @ dense).tobytes()
    assert (fast.T @ other).tobytes() == (matrix.T @ other).tobytes()
    assert np.asarray(other.T @ fast).tobytes() == np.asarray(other.T @ matrix).tobytes()


def test_an_empty_one() -> None:
    empty = RowMatrix((0, 4), dtype=np.float32)
    assert (empty @ np.ones((4, 2), np.float32)).shape == (0, 2)
    assert not (empty.T @ np.ones((0, 2), np.float32)).any()


def test_a_vector_and_a_sparse_matrix_go_to_scipy() -> None:
    matrix = some_matrix(6, 5)
    fast, vector = RowMatrix(matrix), np.arange(5.0, dtype=np.float32)
    np.testing.assert_array_equal(fast @ vector, matrix @ vector)
    np.testing.assert_array_equal((fast @ matrix.T).toarray(), (matrix @ matrix.T).toarray())
