"""The latent spaces: a regularised, normalised factorisation of what was taken, refitted in turn.

A plain SVD of the user x object matrix finds who is active and what is popular. Here each entry is
divided by the roots of its row's and column's sums, raised by `SMOOTHING` (regularised spectral
clustering, Chaudhuri et al. 2012), and the first pair of singular vectors, which says popularity
and activity alone, is left out: the product of a user and an object then says by how much more
often they meet than their sums let expect. Axes that noise would give as well are shrunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.utils.extmath import randomized_svd

from core.state.arrays import (
    COUNT,
    FACET_LATENT,
    IS_BASE,
    LATENT,
    LISTENERS,
    LONGEST,
    LONGEST_FACET,
    UO_COUNT,
    UO_LAST,
    UO_OPINION,
    UV_COUNT,
    VERSION,
    StateArrays,
)
from core.state.families.latent import SMOOTHING
from core.state.folding import content_vectors
from core.state.hashing import stored_pairs
from core.state.state import State

MEAN_WEIGHT = 200.0
"""Pseudo-meetings by which what a facet value adds is drawn to zero."""
MIN_SHRINKAGE = 1e-6
"""Axes that keep less of themselves than this are dropped."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Axes:
    """One factorisation.

    Attributes:
        vectors: (columns, size) float32.
        fold: (size, size) float32: times the mean of a listener's vectors, what the listener adds
            to a column.
        meetings: (columns,) entries of each column.
    """

    vectors: Floats
    fold: Floats
    meetings: NDArray[np.float64]


def fit_latent(state: State, seed: int) -> None:
    """Factorise what the state has counted so far and freeze the object side.

    User x object is binary; user x main facet holds 0.3 * log1p(n) + 1[n > 0] (the first place of
    the WSDM Cup 2018). Objects that were met get frozen vectors, those with few listeners drawn to
    what their facet values let expect; all others start there and move with their listeners. Users
    get the sum over the objects that they met or like, as if these had been folded in.

    A later fit turns its axes onto those of the one before (Procrustes), which changes no product:
    what a model has learned of an axis stays true.
    """
    arrays = state.arrays
    _fit_objects(arrays, seed)
    _fit_facets(arrays, seed)


def _fit_objects(arrays: StateArrays, seed: int) -> None:
    table, objects = arrays.user_object, arrays.objects
    users, columns, met = stored_pairs(table, table.rows[:, UO_COUNT])
    axes = _factorise(users, columns, np.ones_like(met), len(objects.vector), LATENT, seed)
    content = _facet_means(arrays, axes)
    share = (SMOOTHING / (axes.meetings + SMOOTHING)).astype(np.float32)[:, None]
    vectors = axes.vectors + share * content_vectors(arrays, objects.values, content)
    is_base = objects.counts[:, COUNT] > 0
    turn = _turn(vectors, objects.vector, is_base)
    objects.vector[:] = vectors @ turn
    arrays.values.object_mean[:] = content @ turn
    arrays.totals.fold[:] = turn.T @ axes.fold @ turn
    arrays.totals.numbers[LONGEST] = _longest(objects.vector)
    objects.tags[:, IS_BASE] = is_base
    objects.tags[:, VERSION] += 1
    # A like of a frozen object pulls taste as a meeting does, once: so from the start.
    pulls = (table.rows[:, UO_COUNT] > 0) | (table.rows[:, UO_OPINION] > 0)
    users, columns, _ = stored_pairs(table, pulls.astype(np.float32))
    once = np.ones(len(users), np.float32)
    frozen = np.where(is_base[:, None], objects.vector, np.float32(0.0))
    arrays.users.anchor[:] = _sums(users, columns, once, frozen, len(arrays.users.anchor))
    arrays.users.vector[:] = arrays.users.anchor
    _fit_recent(arrays)


def _fit_recent(arrays: StateArrays) -> None:
    """Sum anew what users met lately, as of their latest meetings."""
    table, users = arrays.user_object, arrays.users
    last = table.marks[:, UO_LAST].astype(np.float64)
    before = last.min() - 1.0  # weights of pairs are positive
    kept = np.where(table.rows[:, UO_COUNT] > 0, last - before, 0.0)
    who, what, since = stored_pairs(table, kept)
    elapsed = users.recent_at[who] - (since + before)
    weights = np.exp2(-np.maximum(elapsed, 0.0) / arrays.shape.half_lives[-1])
    users.recent[:] = 0.0
    users.recent[:, :LATENT] = _sums(
        who, what, weights.astype(np.float32), arrays.objects.vector, len(users.recent)
    )
    users.recent[:, LATENT] = np.bincount(who, weights, minlength=len(users.recent))


def _fit_facets(arrays: StateArrays, seed: int) -> None:
    table, values = arrays.user_value, arrays.values
    users, columns, counts = stored_pairs(table, table.rows[:, UV_COUNT])
    main = np.unique(arrays.objects.values[:, arrays.shape.main_slot[0]])
    of_main = np.zeros(len(values.counts), bool)
    of_main[main[main != 0]] = True
    keep = of_main[columns]
    users, columns = users[keep], columns[keep]
    weights = (0.3 * np.log1p(counts[keep]) + 1.0).astype(np.float32)
    axes = _factorise(users, columns, weights, len(values.vector), FACET_LATENT, seed)
    is_base = of_main & (values.counts[:, COUNT] > 0)
    turn = _turn(axes.vectors, values.vector, is_base)
    values.vector[:] = axes.vectors @ turn
    arrays.totals.facet_fold[:] = turn.T @ axes.fold @ turn
    arrays.totals.numbers[LONGEST_FACET] = _longest(values.vector)
    values.tags[:, IS_BASE] = is_base
    values.tags[:, LISTENERS] = axes.meetings
    values.tags[:, VERSION] += 1
    sums = _sums(users, columns, weights, values.vector, len(arrays.users.facet_vector))
    arrays.users.facet_vector[:] = sums
    arrays.users.facet_anchor[:] = sums


def _facet_means(arrays: StateArrays, axes: Axes) -> Floats:
    """(values, size): what each facet value adds to the vectors of its objects.

    Backfitting, coarse facets first: each explains what those before it leave over, weighted by
    evidence and drawn to zero.
    """
    shape, values = arrays.shape, arrays.objects.values
    n_values, n_objects = len(arrays.values.counts), len(values)
    means = np.zeros((n_values, axes.vectors.shape[1]), np.float32)
    slots = [values[:, start:stop] for start, stop in pairwise(shape.facet_start)]
    met = axes.meetings > 0
    for facet in sorted(slots, key=lambda of_facet: len(np.unique(of_facet[met]))):
        row, slot = np.nonzero(facet)
        of_value = csr_matrix((np.ones(len(row)), (facet[row, slot], row)), (n_values, n_objects))
        left = axes.vectors * (axes.meetings + SMOOTHING)[:, None]
        left -= axes.meetings[:, None] * content_vectors(arrays, values, means)
        added = of_value @ left / (of_value @ axes.meetings + MEAN_WEIGHT)[:, None]
        means += added.astype(np.float32)
    return means


def _turn(new: Floats, old: Floats, shared: NDArray[np.bool_]) -> Floats:
    """The rotation that lays the new axes onto the old ones; none where there are no old ones."""
    size = new.shape[1]
    if not old[shared].any():
        return np.eye(size, dtype=np.float32)
    left, _, right = np.linalg.svd(new[shared].astype(np.float64).T @ old[shared])
    return np.asarray(left @ right, np.float32)


def _longest(vectors: Floats) -> float:
    return float(np.linalg.norm(vectors, axis=1).max(initial=0.0))


def _sums(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: Floats,
    vectors: Floats,
    n_rows: int,
) -> Floats:
    """(n_rows, size) the weighted sum of each row's column vectors."""
    matrix = csr_matrix((weights, (rows, columns)), (n_rows, len(vectors)))
    return np.asarray(matrix @ vectors, np.float32)


def _factorise(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: Floats,
    n_columns: int,
    size: int,
    seed: int,
) -> Axes:
    """Factorise the entries (rows, columns); zero where the rank ends.

    Only rows and columns with entries take part: what the state merely knows of, such as entities
    of later blocks, must not even change the random start.
    """
    axes = Axes(
        np.zeros((n_columns, size), np.float32),
        np.zeros((size, size), np.float32),
        np.bincount(columns, minlength=n_columns).astype(np.float64),
    )
    row_ids, row = np.unique(rows, return_inverse=True)
    column_ids, column = np.unique(columns, return_inverse=True)
    if min(len(row_ids), len(column_ids)) < 2:
        return axes
    matrix = csr_matrix((weights, (row, column)), (len(row_ids), len(column_ids)))
    by_row = (np.bincount(row) + SMOOTHING) ** -0.5
    by_column = (np.bincount(column) + SMOOTHING) ** -0.5
    # One more for popularity, which is left out, and one to tell how strong noise is.
    rank = min(size + 2, *matrix.shape)
    normalised = (diags(by_row) @ matrix @ diags(by_column)).astype(np.float32)
    _, strength, right = randomized_svd(normalised, rank, n_iter=5, random_state=seed)
    noise = strength[-1] if rank == size + 2 else 0.0
    strength, right = strength[1 : size + 1], right[1 : size + 1]
    shrinkage = 1.0 - (noise / np.maximum(strength, 1e-12)) ** 2
    kept = np.flatnonzero((shrinkage > MIN_SHRINKAGE) & (strength > 1e-4))
    scale = np.sqrt(shrinkage[kept] * weights.sum(dtype=np.float64))
    axes.vectors[np.ix_(column_ids, kept)] = (right[kept] * by_column).T * scale
    axes.fold[kept, kept] = strength[kept] ** -2.0
    return axes
