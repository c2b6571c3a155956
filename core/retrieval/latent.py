"""Tastes among very many objects: the state's vectors as of the fit, behind an inverted file."""

from __future__ import annotations

import numpy as np

from core.retrieval.nearest import NearestVectors
from core.retrieval.popularity import log_popularity, popularity
from core.state.state import State

EXACT_UP_TO = 1_000_000
"""Objects among which sources multiply with the vectors of this moment and need no index."""


def fit_latent_index(
    state: State, seed: int, exact_up_to: int = EXACT_UP_TO
) -> NearestVectors | None:
    """Over (n_objects, LATENT + 1) vectors whose last axis is the logarithm of popularity.

    None where there are so few objects that the exact product is fast.
    """
    if state.objects.end <= exact_up_to:
        return None
    vectors = state.arrays.objects.vector[: state.objects.end]
    popular = log_popularity(popularity(state, -1, state.clock_s))
    indexed = np.column_stack([vectors, popular])
    indexed[~vectors.any(axis=1)] = 0.0
    return NearestVectors.over(indexed, exact_up_to=exact_up_to, seed=seed)
