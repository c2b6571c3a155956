"""Latent: tastes and vectors of the latest fit, and those folded in since."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import cosine, decay, dot
from core.state.arrays import DISTINCT, FACET_LATENT, LATENT, Totals, Users
from core.state.columns import Family, NumberColumn

SMOOTHING = 50.0
"""Pseudo-meetings by which rows and columns are regularised, and means drawn to their start."""


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


@njit(cache=True)
def tastes(
    user: int, now: float, users: Users, totals: Totals, half_life: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(LATENT,) what the user likes, by all that they met and by what they met lately."""
    recent = users.recent[user]
    met = max(users.counts[user, DISTINCT], 1.0)  # a like pulls without a meeting
    left = decay(now - users.recent_at[user], half_life) if recent[LATENT] > 0.0 else 0.0
    return taste(users.vector[user], 1.0, met, totals), taste(
        recent[:LATENT], left, recent[LATENT] * left, totals
    )


@njit(cache=True)
def taste(
    vectors: NDArray[np.float32] | NDArray[np.float64], scale: float, met: float, totals: Totals
) -> NDArray[np.float64]:
    """(LATENT,) posterior mean of a taste, see `core.state.choice_model.Posterior`.

    `scale * vectors` is the sum of the vectors of `met` objects.
    """
    liked = np.zeros(LATENT)
    if met == 0.0:
        return liked
    # Rows inside, columns outside: no sum waits for the one before it.
    turned = np.zeros(LATENT)
    basis, transposed = totals.taste_basis[0], totals.taste_basis[1]
    for i in range(LATENT):
        for j in range(LATENT):
            turned[j] += basis[i, j] * vectors[i]
    for j in range(LATENT):
        left = scale * turned[j] / (met * totals.taste_information[j] + 1.0)
        for i in range(LATENT):
            liked[i] += transposed[j, i] * left
    return liked


@njit(cache=True)
def match(liked: NDArray[np.float64], vector: NDArray[np.float32]) -> tuple[float, float]:
    """Product and cosine of a taste and an object; the cosine is NaN where one is zero."""
    product = 0.0
    squares = 0.0
    for i in range(LATENT):
        product += liked[i] * np.float64(vector[i])
        squares += liked[i] * liked[i]
    length = np.sqrt(squares) * np.sqrt(dot(vector, vector))
    return product, product / length if length > 0.0 else np.nan


@njit(cache=True)
def read_user(
    liked: NDArray[np.float64],
    facet_vector: NDArray[np.float32],
    distinct_values: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `user_columns`; `distinct_values` are those of the main facet."""
    out[k : k + LATENT] = liked
    k += LATENT
    scale = np.float32(1.0 / (distinct_values + SMOOTHING))
    for i in range(FACET_LATENT):
        out[k + i] = facet_vector[i] * scale
    return k + FACET_LATENT


@njit(cache=True)
def read_candidate(
    liked: NDArray[np.float64],
    liked_lately: NDArray[np.float64],
    user_facet_vector: NDArray[np.float32],
    object_vector: NDArray[np.float32],
    facet_vector: NDArray[np.float32],
    distinct_values: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`."""
    out[k : k + LATENT] = object_vector
    k += LATENT
    out[k : k + FACET_LATENT] = facet_vector
    k += FACET_LATENT
    out[k], out[k + 1] = match(liked, object_vector)
    out[k + 2], out[k + 3] = match(liked_lately, object_vector)
    out[k + 4] = dot(user_facet_vector, facet_vector) / (distinct_values + SMOOTHING)
    out[k + 5] = cosine(user_facet_vector, facet_vector)
    return k + 6
