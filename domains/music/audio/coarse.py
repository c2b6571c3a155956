"""Cosines to all tracks from a byte an axis, and how wrong they can be.

Looking at every track costs as much as walking through the memory that its vector takes. A coarse
copy takes a quarter of it; what its products leave open is settled by the vectors themselves, so
that what is found is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-5
"""More than a product of two unit vectors in single precision can be wrong."""

_STEPS = 127
_ROWS_AT_ONCE = 65_536
_TRACKS_AT_ONCE = 4_096
"""Sums that stay in a core's own cache."""


@dataclass(frozen=True, eq=False)
class CoarseVectors:
    """Vectors of length 1 or 0, each on a scale of its own; immutable."""

    codes: NDArray[np.int8]
    """`(n_dimensions, n_tracks)`: an axis of all tracks lies together."""
    scale: NDArray[np.float32]
    """`(n_tracks,)`, what a step of a code is worth."""
    off: float
    """More than any product with a vector of length 1 can be wrong."""

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> CoarseVectors:
        """Round vectors `(n_tracks, n_dimensions)`."""
        codes = np.empty(vectors.shape[::-1], np.int8)
        scale = np.empty(len(vectors), np.float32)
        off = 0.0
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            exact = vectors[part]
            largest = np.abs(exact).max(axis=1)
            step = np.where(largest > 0, largest / np.float32(_STEPS), np.float32(1))
            rounded = np.rint(exact / step[:, np.newaxis])
            left = exact - rounded * step[:, np.newaxis]
            # By the inequality of Cauchy and Schwarz.
            off = max(off, float(np.sqrt((left.astype(np.float64) ** 2).sum(axis=1).max())))
            codes[:, part], scale[part] = rounded.T, step
        return cls(codes, scale, off + ROUNDING)

    def products(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `(n_tracks,)`: products with `(n_dimensions,)`, wrong by `off` at most."""
        products = np.zeros(len(self.scale), np.float32)
        _add_products(self.codes, vector, products)
        products *= self.scale
        return products


@numba.njit(cache=True, nogil=True)
def _add_products(
    codes: NDArray[np.int8], vector: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Add to `out` what all axes say; four axes at a time, for sums are read and written less."""
    n_dimensions, n_tracks = codes.shape
    for start in range(0, n_tracks, _TRACKS_AT_ONCE):
        part = out[start : start + _TRACKS_AT_ONCE]
        end = start + len(part)
        whole = n_dimensions - n_dimensions % 4
        for k in range(0, whole, 4):
            a, b = codes[k, start:end], codes[k + 1, start:end]
            c, d = codes[k + 2, start:end], codes[k + 3, start:end]
            for i in range(len(part)):
                part[i] += (vector[k] * np.float32(a[i]) + vector[k + 1] * np.float32(b[i])) + (
                    vector[k + 2] * np.float32(c[i]) + vector[k + 3] * np.float32(d[i])
                )
        for k in range(whole, n_dimensions):
            for i in range(len(part)):
                part[i] += vector[k] * np.float32(codes[k, start + i])
