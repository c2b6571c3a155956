"""Finds the highest of many scores without sorting them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXCLUDED = np.float32(-2.0)
"""Score of what must not be found; cosines are above."""

_BLOCK = 256


def highest(scores: NDArray[np.float32], most: int, off: float) -> NDArray[np.intp]:
    """Return rows, ascending, among which are the `most` that are truly highest.

    Args:
        scores: `(n,)`, cosines or `EXCLUDED`.
        most: how many; all that are not excluded if there are fewer.
        off: how wrong a score can be, below 0.5. Those that may belong to the highest are found
            too, for the caller to compare exactly.
    """
    # Of two scores one may be too low and the other too high.
    rows = np.flatnonzero(scores >= _low_bound(scores, most) - 2 * off)
    if len(rows) > most:
        found = scores[rows]
        rows = rows[found >= np.partition(found, -most)[-most] - 2 * off]
    return rows


def _low_bound(scores: NDArray[np.float32], most: int) -> np.float32:
    """A score that at least `most` reach, if there are so many: the best of so many blocks do."""
    n_blocks = len(scores) // _BLOCK
    if n_blocks < most:
        return np.float32(-1.0)
    best = scores[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK).max(axis=1)
    return max(np.float32(-1.0), np.partition(best, -most)[-most])
