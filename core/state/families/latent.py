"""Latent: vectors of a truncated SVD of the base period, folded in for what came later."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import cosine, dot
from core.state.arrays import FACET_LATENT, LATENT
from core.state.columns import Family, NumberColumn

SHRINK = 5.0
"""Pseudo-objects by which a user's mean vector is drawn to zero."""


def _vector(name: str, size: int, branch: Branch) -> list[NumberColumn]:
    return [NumberColumn(f"{name}_{i}", Family.LATENT, branch) for i in range(size)]


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
    """The object's vector, its main facet value's, and how the user's lie to them."""
    return [
        *_vector("object_vector", LATENT, Branch.OBJECT),
        *_vector(f"{schema.main_facet}_vector", FACET_LATENT, Branch.OBJECT),
        NumberColumn("user_object_dot", Family.LATENT, Branch.CONTEXT),
        NumberColumn("user_object_cosine", Family.LATENT, Branch.CONTEXT),
        NumberColumn(f"user_{schema.main_facet}_dot", Family.LATENT, Branch.CONTEXT),
        NumberColumn(f"user_{schema.main_facet}_cosine", Family.LATENT, Branch.CONTEXT),
    ]


@njit(cache=True)
def read_user(
    vector: NDArray[np.float32],
    facet_vector: NDArray[np.float32],
    distinct_objects: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `user_columns`."""
    scale = np.float32(1.0 / (distinct_objects + SHRINK))
    for i in range(LATENT):
        out[k + i] = vector[i] * scale
    k += LATENT
    for i in range(FACET_LATENT):
        out[k + i] = facet_vector[i] * scale
    return k + FACET_LATENT


@njit(cache=True)
def read_candidate(
    user_vector: NDArray[np.float32],
    user_facet_vector: NDArray[np.float32],
    object_vector: NDArray[np.float32],
    facet_vector: NDArray[np.float32],
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`."""
    out[k : k + LATENT] = object_vector
    k += LATENT
    out[k : k + FACET_LATENT] = facet_vector
    k += FACET_LATENT
    out[k] = dot(user_vector, object_vector)
    out[k + 1] = cosine(user_vector, object_vector)
    out[k + 2] = dot(user_facet_vector, facet_vector)
    out[k + 3] = cosine(user_facet_vector, facet_vector)
    return k + 4
