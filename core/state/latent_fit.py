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
    UO_COUNT,
    UV_COUNT,
    VERSION,
    StateArrays,
)
from core.state.hashing import stored_pairs
from core.state.state import State


def fit_latent(state: State, seed: int) -> None:
    """Factorise what the state has counted so far and freeze the object side.

    User x object is binary; user x main facet holds 0.3 * log1p(n) + 1[n > 0] (the first place of
    the WSDM Cup 2018). Objects that were met get frozen vectors; all others start from the mean of
    their main facet value and move with their listeners. Users get the sum over their objects.
    """
    arrays = state.arrays
    _fit_objects(arrays, seed)
    _fit_facets(arrays, seed)


def _fit_objects(arrays: StateArrays, seed: int) -> None:
    users, objects, _ = stored_pairs(arrays.user_object, UO_COUNT)
    shape = (len(arrays.users.counts), len(arrays.objects.counts))
    matrix = csr_matrix((np.ones(len(users), np.float32), (users, objects)), shape)
    singular, vectors = _factorise(matrix, LATENT, seed)
    arrays.totals.singular[:] = singular
    arrays.objects.vector[:] = vectors
    is_base = arrays.objects.counts[:, COUNT] > 0
    arrays.objects.tags[:, IS_BASE] = is_base
    arrays.users.vector[:] = matrix @ arrays.objects.vector
    main = arrays.objects.values[:, arrays.shape.main_slot[0]]
    rows = np.flatnonzero(is_base & (main != 0))
    n = np.bincount(main[rows], minlength=len(arrays.values.counts))
    np.add.at(arrays.values.object_mean, main[rows], arrays.objects.vector[rows])
    arrays.values.object_mean[:] /= np.maximum(n, 1)[:, None].astype(np.float32)
    arrays.objects.vector[~is_base] = arrays.values.object_mean[main[~is_base]]
    arrays.objects.tags[:, VERSION] += 1


def _fit_facets(arrays: StateArrays, seed: int) -> None:
    users, values, counts = stored_pairs(arrays.user_value, UV_COUNT)
    main = np.unique(arrays.objects.values[:, arrays.shape.main_slot[0]])
    of_main = np.zeros(len(arrays.values.counts), bool)
    of_main[main[main != 0]] = True
    keep = of_main[values]
    weights = 0.3 * np.log1p(counts[keep]) + 1.0
    shape = (len(arrays.users.counts), len(arrays.values.counts))
    matrix = csr_matrix((weights.astype(np.float32), (users[keep], values[keep])), shape)
    singular, vectors = _factorise(matrix, FACET_LATENT, seed)
    arrays.totals.facet_singular[:] = singular
    arrays.values.vector[:] = vectors
    arrays.values.tags[:, IS_BASE] = of_main & (arrays.values.counts[:, COUNT] > 0)
    arrays.values.tags[:, VERSION] += 1
    arrays.users.facet_vector[:] = matrix @ arrays.values.vector


def _factorise(
    matrix: csr_matrix, size: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Singular values (size,) and right vectors (columns, size), zero beyond the rank."""
    singular = np.zeros(size, np.float32)
    vectors = np.zeros((matrix.shape[1], size), np.float32)
    rank = min(size, min(matrix.shape) - 1)
    if matrix.nnz == 0 or rank < 1:
        return singular, vectors
    _, values, right = randomized_svd(matrix, rank, n_iter=5, random_state=seed)
    kept = values > 1e-6 * values[0]
    singular[: len(values)][kept] = values[kept]
    vectors[:, : len(values)][:, kept] = right[kept].T
    return singular, vectors
