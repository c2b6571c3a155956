"""Latent: tastes and vectors of the latest fit, and those folded in since."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import cosine, decay, dot
from core.state.arrays import (
    DISTINCT,
    FACET_LATENT,
    LATENT,
    Objects,
    Shape,
    Totals,
    Users,
    Values,
)
from core.state.columns import Family, NumberColumn
from core.state.compiling import allocating_kernel, kernel

SMOOTHING = 50.0
"""Pseudo-meetings by which rows and columns are regularised, and means drawn to their start."""
CANDIDATE_COLUMNS = LATENT + FACET_LATENT + 6
"""Columns that `read_candidates` fills."""


def _vector(name: str, size: int, branch: Branch) -> list[NumberColumn]:
    return [NumberColumn(f"{name}_{i}", Family.LATENT, branch, is_axis=True) for i in range(size)]


def user_columns(schema: Schema) -> list[NumberColumn]:
    """The user's taste, and the mean vector of their main facet values."""
    return [
        *_vector("user_vector", LATENT, Branch.USER),
        *_vector(f"user_{schema.main_facet}_vector", FACET_LATENT, Branch.USER),
    ]


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """The object's vector, its main facet value's, and how what the user likes lies to them."""
    return [
        *_vector("object_vector", LATENT, Branch.OBJECT),
        *_vector(f"{schema.main_facet}_vector", FACET_LATENT, Branch.OBJECT),
        NumberColumn("user_object_dot", Family.LATENT, Branch.CONTEXT),
        NumberColumn("user_object_cosine", Family.LATENT, Branch.CONTEXT),
        NumberColumn("user_object_recent_dot", Family.LATENT, Branch.CONTEXT),
        NumberColumn("user_object_recent_cosine", Family.LATENT, Branch.CONTEXT),
        NumberColumn(f"user_{schema.main_facet}_dot", Family.LATENT, Branch.CONTEXT),
        NumberColumn(f"user_{schema.main_facet}_cosine", Family.LATENT, Branch.CONTEXT),
    ]


@allocating_kernel()
def taste_of_all(user: int, users: Users, totals: Totals) -> NDArray[np.float64]:
    """(LATENT,) what a user likes, by all that they met; a like pulls without a meeting."""
    return taste(users.vector[user], 1.0, max(users.counts[user, DISTINCT], 1.0), totals)


@allocating_kernel()
def taste_of_late(
    user: int, now: float, users: Users, totals: Totals, half_life: float
) -> NDArray[np.float64]:
    """(LATENT,) what a user likes, by what they met lately."""
    recent = users.recent[user]
    left = decay(now - users.recent_at[user], half_life) if recent[LATENT] > 0.0 else 0.0
    return taste(recent[:LATENT], left, recent[LATENT] * left, totals)


@allocating_kernel()
def taste(
    vectors: NDArray[np.float32] | NDArray[np.float64], scale: float, met: float, totals: Totals
) -> NDArray[np.float64]:
    """(LATENT,) posterior mean of a taste, see `core.state.choice_model.Posterior`.

    `scale * vectors` is the sum of the vectors of `met` objects.
    """
    liked = np.zeros(LATENT)
    if met == 0.0:
        return liked
    turned = np.zeros(LATENT)
    for i in range(0, LATENT, 4):
        _add_rows(totals.taste_basis[0], i, vectors, turned)
    for j in range(LATENT):
        turned[j] = scale * turned[j] / (met * totals.taste_information[j] + 1.0)
    for i in range(0, LATENT, 4):
        _add_rows(totals.taste_basis[1], i, turned, liked)
    return liked


@kernel()
def _add_rows(
    matrix: NDArray[np.float64],
    i: int,
    weights: NDArray[np.float32] | NDArray[np.float64],
    to: NDArray[np.float64],
) -> None:
    """Add row i and the three after it, times their weights, one after the other to each sum.

    Rows outside, columns inside: no sum waits for another, so they are worked out side by side.
    Four rows at once, for a sum to be loaded and stored once for all of them.
    """
    row_0, row_1, row_2, row_3 = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
    weight_0, weight_1 = np.float64(weights[i]), np.float64(weights[i + 1])
    weight_2, weight_3 = np.float64(weights[i + 2]), np.float64(weights[i + 3])
    for j in range(len(to)):
        so_far = to[j] + row_0[j] * weight_0 + row_1[j] * weight_1
        to[j] = so_far + row_2[j] * weight_2 + row_3[j] * weight_3


@allocating_kernel()
def match(liked: NDArray[np.float64], vector: NDArray[np.float32]) -> tuple[float, float]:
    """Product and cosine of a taste and an object; the cosine is NaN where one is zero."""
    product = 0.0
    squares = 0.0
    for i in range(LATENT):
        product += liked[i] * np.float64(vector[i])
        squares += liked[i] * liked[i]
    length = np.sqrt(squares) * np.sqrt(dot(vector, vector))
    return product, product / length if length > 0.0 else np.nan


@kernel()
def read_user(user: int, users: Users, shape: Shape, out: NDArray[np.float32], k: int) -> int:
    """See `user_columns`; the taste is left to `read_candidates`, which needs it in full."""
    k += LATENT
    scale = np.float32(1.0 / (users.distinct[user, shape.main_facet[0]] + SMOOTHING))
    for i in range(FACET_LATENT):
        out[k + i] = users.facet_vector[user, i] * scale
    return k + FACET_LATENT


@allocating_kernel()
def read_candidates(
    user: int,
    objs: NDArray[np.int32],
    now: float,
    users: Users,
    objects: Objects,
    values: Values,
    totals: Totals,
    shape: Shape,
    out: NDArray[np.float32],
    of_user: int,
    first: int,
) -> int:
    """See `candidate_columns`: all candidates (n,) at once, to work out what the user likes once.

    The taste goes to the columns of the user from `of_user` on as well.

    Returns:
        The column of the product with what the user likes lately, which the online learner takes.
    """
    liked = taste_of_all(user, users, totals)
    liked_lately = taste_of_late(user, now, users, totals, shape.taste_half_life[0])
    facet_vector = users.facet_vector[user]
    met_values = users.distinct[user, shape.main_facet[0]] + SMOOTHING
    for row in range(len(objs)):
        k, obj = first, objs[row]
        vector = objects.vector[obj]
        of_facet = values.vector[objects.values[obj, shape.main_slot[0]]]
        for i in range(LATENT):
            out[row, of_user + i] = liked[i]
            out[row, k + i] = vector[i]
        k += LATENT
        for i in range(FACET_LATENT):
            out[row, k + i] = of_facet[i]
        k += FACET_LATENT
        out[row, k], out[row, k + 1] = match(liked, vector)
        out[row, k + 2], out[row, k + 3] = match(liked_lately, vector)
        out[row, k + 4] = dot(facet_vector, of_facet) / met_values
        out[row, k + 5] = cosine(facet_vector, of_facet)
    return first + LATENT + FACET_LATENT + 2
