"""The order in which nets see the rows of an epoch: shuffled, yet read from disk in stretches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

POOL_ROWS = 1 << 20
"""Rows shuffled together: 1.4 GB at music's 340 columns, where they lie on disk."""
STRETCH_ROWS = 8192
"""Consecutive rows that are read together: 11 MB at music's 340 columns."""


def row_pools(
    n_rows: int,
    rng: np.random.Generator,
    *,
    pool_rows: int = POOL_ROWS,
    stretch_rows: int = STRETCH_ROWS,
) -> Iterator[NDArray[np.intp]]:
    """All rows once, in pools of at most `pool_rows` rows; each pool in rising order.

    A log that fits into one pool is one. A larger one is cut into stretches of consecutive rows,
    and each pool takes stretches from all over it: shuffled inside, a pool stands for the log,
    while the disk reads no row twice and few places. The order is the same for rows in memory, so
    that where a table lies changes no result.
    """
    if n_rows <= pool_rows:
        yield np.arange(n_rows)
        return
    starts = np.arange(0, n_rows, stretch_rows)
    per_pool = max(1, pool_rows // stretch_rows)
    for part in np.array_split(rng.permutation(starts), -(-len(starts) // per_pool)):
        yield np.concatenate(
            [np.arange(start, min(start + stretch_rows, n_rows)) for start in np.sort(part)]
        )
