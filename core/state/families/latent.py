"""Latent: vectors of the latest factorisation, and those folded in since."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import cosine, decay, dot
from core.state.arrays import FACET_LATENT, LATENT
from core.state.columns import Family, NumberColumn

SMOOTHING = 50.0
"""Pseudo-meetings by which rows and columns are regularised, and means drawn to zero."""


def _vector(name: str, size: int, branch: Branch) -> list[NumberColumn]:
    return [NumberColumn(f"{name}_{i}", Family.LATENT, branch, is_axis=True) for i in range(size)]


def user_columns(schema: Schema) -> list[NumberColumn]:
    """The mean vector of the user's objects, and of the main facet values."""
    return [
        *_vector("user_vector", LATENT, Branch.USER),
        *_vector(f"user_{schema.main_facet}_vector", FACET_LATENT, Branch.USER),
    ]


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """The object's vector, its main facet value's, and how the user's means lie to them."""
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
def recent_match(
    recent: NDArray[np.float64], object_vector: NDArray[np.float32]
) -> tuple[float, float]:
    """Product and cosine of what the user met lately and an object; NaN where one is zero."""
    product = 0.0
    squares = 0.0
    for i in range(LATENT):
        product += recent[i] * np.float64(object_vector[i])
        squares += recent[i] * recent[i]
    length = np.sqrt(squares) * np.sqrt(dot(object_vector, object_vector))
    return product, product / length if length > 0.0 else np.nan


@njit(cache=True)
def recent_weight(
    recent: NDArray[np.float64], recent_at: float, now: float, half_life: float
) -> float:
    """What is left by now of the weights of `recent`."""
    return float(recent[LATENT] * decay(now - recent_at, half_life))


@njit(cache=True)
def read_user(
    vector: NDArray[np.float32],
    facet_vector: NDArray[np.float32],
    distinct_objects: float,
    distinct_values: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `user_columns`; `distinct_values` are those of the main facet."""
    scale = np.float32(1.0 / (distinct_objects + SMOOTHING))
    for i in range(LATENT):
        out[k + i] = vector[i] * scale
    k += LATENT
    scale = np.float32(1.0 / (distinct_values + SMOOTHING))
    for i in range(FACET_LATENT):
        out[k + i] = facet_vector[i] * scale
    return k + FACET_LATENT


@njit(cache=True)
def read_candidate(
    user_vector: NDArray[np.float32],
    user_facet_vector: NDArray[np.float32],
    object_vector: NDArray[np.float32],
    facet_vector: NDArray[np.float32],
    distinct_objects: float,
    distinct_values: float,
    recent: NDArray[np.float64],
    weight_left: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`; `weight_left` is the `recent_weight`."""
    out[k : k + LATENT] = object_vector
    k += LATENT
    out[k : k + FACET_LATENT] = facet_vector
    k += FACET_LATENT
    out[k] = dot(user_vector, object_vector) / (distinct_objects + SMOOTHING)
    out[k + 1] = cosine(user_vector, object_vector)
    product, recent_cosine = recent_match(recent, object_vector)
    left = weight_left / recent[LATENT] if recent[LATENT] > 0.0 else 0.0
    out[k + 2] = product * left / (weight_left + SMOOTHING)
    out[k + 3] = recent_cosine
    out[k + 4] = dot(user_facet_vector, facet_vector) / (distinct_values + SMOOTHING)
    out[k + 5] = cosine(user_facet_vector, facet_vector)
    return k + 6
