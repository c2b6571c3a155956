"""The truncated SVDs of the base period: fitted once, then only folded into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.utils.extmath import randomized_svd

from core.state.arrays import (
    COUNT,
    FACET_LATENT,
    IS_BASE,
    LATENT,
    LONGEST,
    LONGEST_FACET,
    UO_COUNT,
    UO_OPINION,
    UV_COUNT,
    VERSION,
    StateArrays,
)
from core.state.hashing import stored_pairs
from core.state.state import State

MIN_RELATIVE = 1e-4
"""Directions weaker than this share of the strongest are rounding errors of float32."""


def fit_latent(state: State, seed: int) -> None:
    """Factorise what the state has counted so far and freeze the object side.

    User x object is binary; user x main facet holds 0.3 * log1p(n) + 1[n > 0] (the first place of
    the WSDM Cup 2018). Objects that were met get frozen vectors; all others start from the mean of
    their main facet value and move with their listeners. Users get the sum over the objects that
    they met or like, as if these had been folded in.
    """
    arrays = state.arrays
    _fit_objects(arrays, seed)
    _fit_facets(arrays, seed)


def _fit_objects(arrays: StateArrays, seed: int) -> None:
    table = arrays.user_object
    users, objects, met = stored_pairs(table, table.rows[:, UO_COUNT])
    singular, vectors = _factorise(users, objects, np.ones_like(met), LATENT, seed)
    is_base = arrays.objects.counts[:, COUNT] > 0
    arrays.totals.singular[:] = singular
    arrays.objects.vector[:] = 0.0
    arrays.objects.vector[: len(vectors)] = vectors
    arrays.totals.numbers[LONGEST] = _longest(vectors)
    arrays.objects.tags[:, IS_BASE] = is_base
    main = arrays.objects.values[:, arrays.shape.main_slot[0]]
    rows = np.flatnonzero(is_base & (main != 0))
    n = np.bincount(main[rows], minlength=len(arrays.values.counts))
    arrays.values.object_mean[:] = 0.0
    np.add.at(arrays.values.object_mean, main[rows], arrays.objects.vector[rows])
    arrays.values.object_mean[:] /= np.maximum(n, 1)[:, None].astype(np.float32)
    arrays.objects.vector[~is_base] = arrays.values.object_mean[main[~is_base]]
    arrays.objects.tags[:, VERSION] += 1
    # A like of a frozen object pulls taste as a meeting does, once: so from the start.
    pulls = (table.rows[:, UO_COUNT] > 0) | (table.rows[:, UO_OPINION] > 0)
    users, objects, _ = stored_pairs(table, pulls.astype(np.float32))
    once = np.ones(len(users), np.float32)
    frozen = np.where(is_base[:, None], arrays.objects.vector, np.float32(0.0))
    arrays.users.anchor[:] = _sums(users, objects, once, frozen, arrays.users.anchor)
    arrays.users.vector[:] = arrays.users.anchor


def _fit_facets(arrays: StateArrays, seed: int) -> None:
    table = arrays.user_value
    users, values, counts = stored_pairs(table, table.rows[:, UV_COUNT])
    main = np.unique(arrays.objects.values[:, arrays.shape.main_slot[0]])
    of_main = np.zeros(len(arrays.values.counts), bool)
    of_main[main[main != 0]] = True
    keep = of_main[values]
    users, values = users[keep], values[keep]
    weights = (0.3 * np.log1p(counts[keep]) + 1.0).astype(np.float32)
    singular, vectors = _factorise(users, values, weights, FACET_LATENT, seed)
    arrays.totals.facet_singular[:] = singular
    arrays.values.vector[:] = 0.0
    arrays.values.vector[: len(vectors)] = vectors
    arrays.totals.numbers[LONGEST_FACET] = _longest(vectors)
    arrays.values.tags[:, IS_BASE] = of_main & (arrays.values.counts[:, COUNT] > 0)
    arrays.values.tags[:, VERSION] += 1
    arrays.users.facet_vector[:] = _sums(
        users, values, weights, arrays.values.vector, arrays.users.facet_vector
    )
    arrays.users.facet_anchor[:] = arrays.users.facet_vector


def _longest(vectors: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(vectors, axis=1).max(initial=0.0))


def _sums(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    vectors: NDArray[np.float32],
    like: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The weighted sum of each row's column vectors, in the shape of `like`."""
    matrix = csr_matrix((weights, (rows, columns)), (len(like), len(vectors)))
    return np.asarray(matrix @ vectors, np.float32)


def _factorise(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    size: int,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Singular values (size,) and right vectors (last column + 1, size), zero beyond the rank.

    Only rows and columns with entries take part: what the state merely knows of, such as entities
    of later blocks, must not even change the random start.
    """
    singular = np.zeros(size, np.float32)
    row_ids, row = np.unique(rows, return_inverse=True)
    column_ids, column = np.unique(columns, return_inverse=True)
    if not len(column_ids):
        return singular, np.zeros((0, size), np.float32)
    vectors = np.zeros((column_ids[-1] + 1, size), np.float32)
    matrix = csr_matrix((weights, (row, column)), (len(row_ids), len(column_ids)))
    rank = min(size, *matrix.shape)
    _, values, right = randomized_svd(matrix, rank, n_iter=5, random_state=seed)
    kept = np.flatnonzero(values > MIN_RELATIVE * values[0])
    singular[kept] = values[kept]
    vectors[np.ix_(column_ids, kept)] = right[kept].T
    return singular, vectors
