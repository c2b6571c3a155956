"""The small formulas that every family shares; compiled, in fixed order, without fastmath."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.compiling import kernel

RATE_WEIGHT = 8.0
"""Pseudo-labels by which outcome rates are drawn to their prior."""
SHARE_WEIGHT = 5.0
"""Pseudo-events by which shares are drawn to the share in the whole log."""


@kernel()
def decay(elapsed_s: float, half_life_s: float) -> float:
    """2^(-elapsed / half-life); clocks that disagree never raise a count."""
    return float(np.exp2(-max(elapsed_s, 0.0) / half_life_s))


@kernel()
def recency(elapsed_s: float) -> float:
    """log1p of the seconds since something happened; NaN if it never did."""
    return np.log1p(max(elapsed_s, 0.0)) if np.isfinite(elapsed_s) else np.nan


@kernel()
def whole_s(since_origin_s: float) -> int:
    """Whole seconds for the marks of pairs, held within int32: 68 years either way."""
    return int(min(max(np.floor(since_origin_s), -2147483648.0), 2147483647.0))


@kernel()
def global_rate(label_n: float, label_sum: float) -> float:
    """The share of positives among all matured labels; 0.5 before any."""
    return (label_sum + 0.5) / (label_n + 1.0)


@kernel()
def smoothed(total: float, weight_sum: float, prior: float, weight: float) -> float:
    """(total + weight * prior) / (weight_sum + weight)."""
    return (total + weight * prior) / (weight_sum + weight)


@kernel()
def dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Dot product summed from the first to the last: the shape of a batch changes nothing."""
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@kernel()
def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Cosine; NaN when a vector is zero."""
    norm = np.sqrt(dot(a, a)) * np.sqrt(dot(b, b))
    return dot(a, b) / norm if norm > 0.0 else np.nan
