"""What all indices are built from: largest scores, sparse rows, products, nearest vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from core.errors import BundleError
from core.retrieval.largest import largest
from core.retrieval.nearest import NearestVectors
from core.retrieval.rows import SparseRows, looked_up, products, sparse_rows


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(0, 45), st.data())
@settings(max_examples=100, deadline=None)
def test_the_largest_are_the_first_of_a_stable_sort(
    scores: list[int], limit: int, data: st.DataObject
) -> None:
    allowed = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    expected = sorted((i for i in range(len(scores)) if allowed[i]), key=lambda i: (-scores[i], i))
    found = largest(np.array(scores, float), np.array(allowed, bool), limit)
    assert found.tolist() == expected[:limit]


def test_what_is_not_a_number_is_not_among_the_largest() -> None:
    scores = np.array([np.nan, 1.0, np.nan, 2.0])
    assert largest(scores, np.ones(4, bool), 4).tolist() == [3, 1]


def matrix() -> csr_matrix:
    return csr_matrix(np.array([[0.0, 3.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0], [5.0, 0.0, 0.0, 1.0]]))


def test_rows_add_up_and_rows_that_do_not_exist_add_nothing() -> None:
    rows = sparse_rows(matrix())
    total = rows.sum_of(np.array([0, 2, 7, -1]), np.array([2.0, 1.0, 9.0, 9.0]))
    assert total.tolist() == [5.0, 6.0, 2.0, 5.0]


def test_of_each_row_the_largest_are_kept() -> None:
    rows = sparse_rows(matrix(), 2)
    assert (rows.objects.tolist(), rows.weights.tolist()) == ([1, 3, 0, 3], [3.0, 2.0, 5.0, 1.0])
    assert rows.starts.tolist() == [0, 2, 2, 4]


def test_rows_are_loaded_as_they_were_saved_and_damage_is_named(tmp_path: Path) -> None:
    rows, file = sparse_rows(matrix()), tmp_path / "rows.safetensors"
    rows.save(file)
    loaded = SparseRows.load(file)
    assert loaded.width == 4
    assert loaded.sum_of(np.array([2]), np.ones(1)).tolist() == [5.0, 0.0, 0.0, 1.0]
    file.write_bytes(b"no tensors")
    with pytest.raises(BundleError, match=r"rows\.safetensors cannot be read"):
        SparseRows.load(file)


def test_products_are_those_of_the_vectors_and_nothing_is_said_of_zero_or_later_ones() -> None:
    vectors = np.array([[0, 0], [1, 2], [-1, 1]], np.float32)
    said = products(vectors, np.array([2, 1, 0, 3], np.int32), np.array([3.0, 1.0]))
    np.testing.assert_array_equal(said, [-2.0, 5.0, np.nan, np.nan])


def test_looking_up_beyond_the_end_says_nothing() -> None:
    np.testing.assert_array_equal(
        looked_up(np.array([4.0, 5.0]), np.array([1, 2, 0], np.int32)), [5.0, np.nan, 4.0]
    )


def test_nearest_vectors_are_those_of_the_largest_product() -> None:
    vectors = np.array([[0, 0], [1, 0], [0, 1], [2, 0]], np.float32)
    search = NearestVectors.over(vectors, exact_up_to=10)
    rows, found = search.nearest(np.array([1.0, 0.5]), 3)
    assert (rows.tolist(), found.tolist()) == ([3, 1, 2], [2.0, 1.0, 0.5])
    allowed = np.array([True, True, True, False, True])
    assert search.nearest(np.array([1.0, 0.5]), 3, allowed)[0].tolist() == [1, 2]


def test_an_inverted_file_finds_what_the_exact_product_finds(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    vectors[0] = 0.0
    exact = NearestVectors.over(vectors, exact_up_to=3000)
    search = NearestVectors.over(vectors, exact_up_to=2999)
    search.save(tmp_path / "vectors.safetensors")
    allowed = np.arange(3000) % 2 == 0
    for index in (search, NearestVectors.load(tmp_path / "vectors.safetensors")):
        assert index.search is not None
        for only in (None, allowed):
            rows, found = index.nearest(vectors[7], 20, only)
            expected, products_of = exact.nearest(vectors[7], 20, only)
            assert rows.tolist() == expected.tolist()
            np.testing.assert_allclose(found, products_of, rtol=1e-5)
