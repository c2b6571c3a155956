"""Standardises columns: what is the same everywhere counts for nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SAME = 1e-9
"""Rounding gives a constant column a deviation of about 1e-16 of its size."""


def mean_and_scale(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and one over the standard deviation of `(n, n_columns)`, `(n_columns,)` each.

    The scale of a constant column is 0.
    """
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    varies = deviation > _SAME * np.maximum(np.abs(mean), 1e-30)
    return mean, np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
