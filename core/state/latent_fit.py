"""The latent spaces: fitted to all that has passed, and again each time the log has grown.

Objects and users lie where the choice model puts them, main facet values where the normalised
factorisation of user x main facet does.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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
    Shape,
    StateArrays,
)
from core.state.choice_model import Posterior, fit_choices
from core.state.factorisation import factorise
from core.state.families.latent import SMOOTHING
from core.state.folding import vectors_by_facets
from core.state.hashing import ordered_pairs, stored_pairs
from core.state.products import RowMatrix
from core.state.state import State

Floats = NDArray[np.float32]
Ints = NDArray[np.int32] | NDArray[np.int64]


def fit_latent(state: State, seed: int) -> None:
    """Fit the latent spaces to what the state has counted so far and freeze the object side.

    User x object is binary; user x main facet holds 0.3 * log1p(n) + 1[n > 0] (the first place of
    the WSDM Cup 2018). Objects that were met get frozen vectors; all others start where their facet
    values let expect and move with their listeners. Users get the sum over the objects that they
    met or like, as if these had been folded in.

    A later fit turns its axes onto those of the one before (Procrustes), which changes no product:
    what a model has learned of an axis stays true.
    """
    arrays = state.arrays
    _fit_objects(arrays, seed)
    _fit_facets(arrays, seed)


def _fit_objects(arrays: StateArrays, seed: int) -> None:
    table, objects, totals = arrays.user_object, arrays.objects, arrays.totals
    slots, users, columns = ordered_pairs(table)
    met = table.rows[slots, UO_COUNT] > 0
    # Only who met and what was met take part: what the state merely knows of, such as entities of
    # later blocks, must not even change the random start.
    ones = np.ones(np.count_nonzero(met), np.float32)
    matrix, object_ids = _matrix(users[met], columns[met], ones)
    facets = _facets(arrays.shape, objects.values[object_ids], len(arrays.values.counts))
    axes = factorise(matrix, LATENT, seed)
    model = fit_choices(matrix, facets, axes.vectors, axes.strengths)
    vectors = vectors_by_facets(arrays, objects.values, model.facet_means)
    vectors[object_ids] = model.vectors
    is_base = objects.counts[:, COUNT] > 0
    turn = _turn(vectors, objects.vector, is_base)
    objects.vector[:] = vectors @ turn
    arrays.values.object_mean[:] = model.facet_means @ turn
    basis = turn.T @ model.of_users.basis
    totals.taste_basis[:] = basis, basis.T
    totals.taste_information[:] = model.of_users.information
    totals.fold[:] = turn.T @ _fold(model.of_objects) @ turn
    totals.numbers[LONGEST] = _longest(objects.vector)
    objects.tags[:, IS_BASE] = is_base
    objects.tags[:, VERSION] += 1
    # A like of a frozen object pulls taste as a meeting does, once: so from the start.
    pulls = met | (table.rows[slots, UO_OPINION] > 0)
    once = np.ones(np.count_nonzero(pulls), np.float32)
    frozen = np.where(is_base[:, None], objects.vector, np.float32(0.0))
    n_users = len(arrays.users.anchor)
    arrays.users.anchor[:] = _sums(users[pulls], columns[pulls], once, frozen, n_users)
    arrays.users.vector[:] = arrays.users.anchor
    _fit_recent(arrays, users[met], columns[met], table.marks[slots[met], UO_LAST])


def _fold(of_objects: Posterior) -> Floats:
    """Leads from the mean taste of many listeners to their object's vector."""
    shares = 1.0 / np.maximum(of_objects.information, 1.0 / SMOOTHING)
    return np.asarray((of_objects.basis * shares) @ of_objects.basis.T, np.float32)


def _fit_recent(arrays: StateArrays, who: Ints, what: Ints, last: NDArray[np.int32]) -> None:
    """Sum anew what users met lately, as of their latest meetings with each object."""
    users = arrays.users
    elapsed = users.recent_at[who] - last.astype(np.float64)
    weights = np.exp2(-np.maximum(elapsed, 0.0) / arrays.shape.taste_half_life[0])
    users.recent[:] = 0.0
    users.recent[:, :LATENT] = _sums(
        who, what, weights.astype(np.float32), arrays.objects.vector, len(users.recent)
    )
    users.recent[:, LATENT] = np.bincount(who, weights, minlength=len(users.recent))


def _fit_facets(arrays: StateArrays, seed: int) -> None:
    table, values = arrays.user_value, arrays.values
    main = np.unique(arrays.objects.values[:, arrays.shape.main_slot[0]])
    of_main = np.zeros(len(values.counts), bool)
    of_main[main[main != 0]] = True
    users, columns, counts = stored_pairs(table, table.rows[:, UV_COUNT], of_main)
    weights = (0.3 * np.log1p(counts) + 1.0).astype(np.float32)
    matrix, value_ids = _matrix(users, columns, weights)
    axes = factorise(matrix, FACET_LATENT, seed)
    vectors = np.zeros_like(values.vector)
    vectors[value_ids] = axes.vectors
    is_base = of_main & (values.counts[:, COUNT] > 0)
    turn = _turn(vectors, values.vector, is_base)
    values.vector[:] = vectors @ turn
    arrays.totals.facet_fold[:] = turn.T @ axes.fold @ turn
    arrays.totals.numbers[LONGEST_FACET] = _longest(values.vector)
    values.tags[:, IS_BASE] = is_base
    values.tags[:, LISTENERS] = np.bincount(columns, minlength=len(values.tags))
    values.tags[:, VERSION] += 1
    sums = _sums(users, columns, weights, values.vector, len(arrays.users.facet_vector))
    arrays.users.facet_vector[:] = sums
    arrays.users.facet_anchor[:] = sums


def _matrix(rows: Ints, columns: Ints, weights: Floats) -> tuple[RowMatrix, Ints]:
    """The entries without the empty rows and columns, and which columns have stayed."""
    row_ids, row = _dense(rows)
    column_ids, column = _dense(columns)
    return RowMatrix((weights, (row, column)), (len(row_ids), len(column_ids))), column_ids


def _dense(ids: Ints) -> tuple[Ints, Ints]:
    """The ids that occur, rising, and the place among them of each; ids are small."""
    occurs = np.zeros(ids.max(initial=-1) + 1, bool)
    occurs[ids] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs, dtype=np.int32) - 1)[ids]


def _facets(shape: Shape, values: NDArray[np.int32], n_values: int) -> list[RowMatrix]:
    """Of each facet, coarse ones first, (objects, values) equal shares of an object's values."""
    facets = []
    for start, stop in pairwise(shape.facet_start):
        row, slot = np.nonzero(values[:, start:stop])
        present = np.bincount(row, minlength=len(values))
        shares = (1.0 / present[row]).astype(np.float32)
        columns = values[row, start + slot]
        facets.append(RowMatrix((shares, (row, columns)), (len(values), n_values)))
    return sorted(facets, key=lambda facet: len(np.unique(facet.indices)))


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
    rows: Ints,
    columns: Ints,
    weights: Floats,
    vectors: Floats,
    n_rows: int,
) -> Floats:
    """(n_rows, size) the weighted sum of each row's column vectors."""
    matrix = RowMatrix((weights, (rows, columns)), (n_rows, len(vectors)))
    return np.asarray(matrix @ vectors, np.float32)
