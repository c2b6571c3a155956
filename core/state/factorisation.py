"""A regularised, normalised factorisation of who met what (Chaudhuri et al., 2012).

Each entry is divided by the roots of its row's and its column's sums, raised by `SMOOTHING`, and
the first pair of singular vectors, which says popularity and activity alone, is left out: the
product of a row's mean and a column then says by how much more often they meet than their sums let
expect. Axes that noise would give as well are shrunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.utils.extmath import randomized_svd

from core.state.families.latent import SMOOTHING
from core.state.products import RowMatrix

MIN_SHRINKAGE = 1e-6
"""Axes that keep less of themselves than this are dropped."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Axes:
    """One factorisation.

    Attributes:
        vectors: (columns, size) float32; zero where the rank ends.
        strengths: (size,) in [0, 1], what is left of each axis beside noise.
        fold: (size, size) float32: times the mean of a row's vectors, what the row adds to a
            column.
    """

    vectors: Floats
    strengths: NDArray[np.float64]
    fold: Floats


def factorise(matrix: csr_matrix, size: int, seed: int) -> Axes:
    """Factorise (rows, columns) weights without empty rows or columns."""
    axes = Axes(
        np.zeros((matrix.shape[1], size), np.float32),
        np.zeros(size),
        np.zeros((size, size), np.float32),
    )
    if min(matrix.shape) < 2:
        return axes
    by_row = (np.diff(matrix.indptr) + SMOOTHING) ** -0.5
    by_column = (np.bincount(matrix.indices) + SMOOTHING) ** -0.5
    # One more for popularity, which is left out, and one to tell how strong noise is.
    rank = min(size + 2, *matrix.shape)
    normalised = RowMatrix((diags(by_row) @ matrix @ diags(by_column)).astype(np.float32))
    _, strength, right = randomized_svd(normalised, rank, n_iter=5, random_state=seed)
    noise = strength[-1] if rank == size + 2 else 0.0
    strength, right = strength[1 : size + 1], right[1 : size + 1]
    shrinkage = 1.0 - (noise / np.maximum(strength, 1e-12)) ** 2
    kept = np.flatnonzero((shrinkage > MIN_SHRINKAGE) & (strength > 1e-4))
    scale = np.sqrt(shrinkage[kept] * matrix.sum(dtype=np.float64))
    axes.vectors[:, kept] = (right[kept] * by_column).T * scale
    axes.strengths[kept] = shrinkage[kept]
    axes.fold[kept, kept] = strength[kept] ** -2.0
    return axes
