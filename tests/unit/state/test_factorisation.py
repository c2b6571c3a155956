"""The normalised factorisation, against dense singular values."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from core.state.factorisation import factorise
from core.state.families.latent import SMOOTHING

SIZE = 6

# Axes may be mirrored, and those of equal strength turned: products do not notice, so these are
# what the tests compare.


def test_vectors_are_the_columns_of_the_normalised_matrix_less_popularity_and_noise() -> None:
    """The first pair is left out; the last one tells how strong noise is."""
    matrix = (np.random.default_rng(1).random((30, 20)) < 0.3).astype(np.float32)
    by_row = (matrix.sum(axis=1, keepdims=True) + SMOOTHING) ** -0.5
    by_column = (matrix.sum(axis=0) + SMOOTHING) ** -0.5
    _, strength, right = np.linalg.svd(by_row * matrix * by_column)
    kept = slice(1, SIZE + 1)
    strengths = 1.0 - (strength[SIZE + 1] / strength[kept]) ** 2
    expected = (right[kept] * by_column).T * np.sqrt(strengths * matrix.sum())
    axes = factorise(csr_matrix(matrix), SIZE, seed=3)
    np.testing.assert_allclose(axes.vectors @ axes.vectors.T, expected @ expected.T, atol=1e-4)
    np.testing.assert_allclose(axes.strengths, strengths, atol=1e-4)


def test_what_everybody_meets_says_nothing() -> None:
    axes = factorise(csr_matrix(np.ones((5, 4), np.float32)), SIZE, seed=3)
    assert not axes.vectors.any()
    assert not axes.strengths.any()
    assert not axes.fold.any()
