"""How often objects are met these days, as of a moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.arithmetic import decay
from core.state.arrays import COUNT, DECAYED, LAST
from core.state.compiling import allocating_kernel
from core.state.state import State

_LEAST = 0.01
"""Popularity of what nobody meets any more, where its logarithm is wanted."""


def popularity(state: State, half_life: int, now_s: float) -> NDArray[np.float64]:
    """(n_objects,) meetings decayed by one of the schema's half-lives; 0 where there was none.

    Never 0 where there was one, however long ago: who was met stays before who was not.
    """
    half_lives = state.arrays.shape.half_lives
    decayed: NDArray[np.float64] = _decayed(
        state.arrays.objects.counts[: state.objects.end],
        DECAYED + range(len(half_lives))[half_life],
        now_s,
        half_lives[half_life],
    )
    return decayed


@allocating_kernel()
def _decayed(
    counts: NDArray[np.float64], column: int, now: float, half_life: float
) -> NDArray[np.float64]:
    out = np.zeros(len(counts))
    for obj in range(len(counts)):
        if counts[obj, COUNT] > 0.0:
            left = decay(now - counts[obj, LAST], half_life)
            out[obj] = max(counts[obj, column] * left, 1e-300)
    return out


def log_popularity(decayed: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n,) logarithms of decayed meetings (n,), finite for those of none."""
    return np.log(decayed + _LEAST).astype(np.float32)
