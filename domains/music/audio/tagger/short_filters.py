"""Correlation with long filters in less than half of the multiplications, exactly.

A filter is cut into blocks of 4 taps. Toom and Cook's scheme gives 4 neighbouring outputs of such a
block for 7 multiplications instead of 16: transform 7 inputs, multiply, transform back. (In nets it
is known as Winograd's: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
2016.) All blocks of a filter add up before the way back, so that the
multiplications of all filters are seven matrix products.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

TAPS = 4
"""Taps of a block."""
OUTPUTS = 4
"""Neighbouring outputs that are computed together."""
POINTS = TAPS + OUTPUTS - 1
"""Inputs of such a group, and multiplications."""

# Where the two polynomials are evaluated; the seventh point is infinity.
_AT = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5)


def _powers(size: int) -> NDArray[np.float64]:
    """Evaluation of a polynomial of `size` coefficients: `(POINTS, size)`."""
    values = np.vander(_AT, size, increasing=True)
    return np.vstack([values, np.eye(size)[-1]])


# Tellegen's transposition turns interpolation of a product of polynomials into correlation.
_INPUTS = np.linalg.inv(_powers(POINTS)).T.astype(np.float32)
_FILTERS = _powers(TAPS)


def transform_filters(filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Prepare filters.

    Args:
        filters: `(n_rows, n_taps, n_filters)`; n_rows taps across, n_taps along.

    Returns:
        `(POINTS, n_rows * n_blocks, n_filters)`, the last block filled up with zeros.
    """
    n_rows, n_taps, n_filters = filters.shape
    n_blocks = -(-n_taps // TAPS)
    filled = np.zeros((n_rows, n_blocks * TAPS, n_filters))
    filled[:, :n_taps] = filters
    blocks = filled.reshape(n_rows, n_blocks, TAPS, n_filters)
    transformed = np.einsum("pk,rbkf->prbf", _FILTERS, blocks)
    return np.ascontiguousarray(
        transformed.reshape(POINTS, n_rows * n_blocks, n_filters), dtype=np.float32
    )


def transform_rows(rows: NDArray[np.float32], n_groups: int) -> NDArray[np.float32]:
    """Prepare inputs.

    Args:
        rows: `(n_rows, n)`, read along; what lies behind the end counts as zero.
        n_groups: groups of `POINTS` inputs, one beginning at every `OUTPUTS`-th.

    Returns:
        `(POINTS, n_rows, n_groups)`.
    """
    needed = OUTPUTS * (n_groups - 1) + POINTS
    filled = np.zeros((len(rows), needed), dtype=np.float32)
    n = min(needed, rows.shape[1])
    filled[:, :n] = rows[:, :n]
    groups = np.lib.stride_tricks.sliding_window_view(filled, POINTS, axis=1)[:, ::OUTPUTS]
    transformed = groups.reshape(-1, POINTS) @ _INPUTS.T
    return np.ascontiguousarray(transformed.T).reshape(POINTS, len(rows), n_groups)


@numba.njit(cache=True, nogil=True)
def gather(
    inputs: NDArray[np.float32],
    first_row: int,
    n_rows: int,
    n_across: int,
    n_tiles: int,
    n_blocks: int,
    out: NDArray[np.float32],
) -> None:
    """Lay out what each group of outputs multiplies.

    Args:
        inputs: `(POINTS, rows, groups)` from `transform_rows`.
        first_row: of the rows whose outputs are wanted.
        n_rows: how many.
        n_across: rows that a filter spans.
        n_tiles: groups of outputs of a row.
        n_blocks: blocks of a filter along.
        out: `(POINTS, n_tiles * n_rows, n_across * n_blocks)`, tile by tile.
    """
    for point in range(inputs.shape[0]):
        for tile in range(n_tiles):
            for row in range(n_rows):
                to = tile * n_rows + row
                for across in range(n_across):
                    for block in range(n_blocks):
                        out[point, to, across * n_blocks + block] = inputs[
                            point, first_row + row + across, tile + block
                        ]


@numba.njit(cache=True, nogil=True)
def peak_along(
    products: NDArray[np.float32], n_tiles: int, n_outputs: int, out: NDArray[np.float32]
) -> None:
    """The largest output of each row and filter.

    Args:
        products: `(POINTS, n_tiles * n_rows, n_filters)`, laid out as `gather` does.
        n_tiles: groups of outputs of a row.
        n_outputs: outputs of a row; those behind are not looked at.
        out: `(n_rows, n_filters)`.
    """
    n_rows, n_filters = out.shape
    out[:] = -np.inf
    for tile in range(n_tiles):
        whole = n_outputs - OUTPUTS * tile
        for row in range(n_rows):
            at = tile * n_rows + row
            for f in range(n_filters):
                a, b, c, d = _outputs(products, at, f)
                best = max(out[row, f], a)
                if whole > 1:
                    best = max(best, b)
                if whole > 2:
                    best = max(best, c)
                if whole > 3:
                    best = max(best, d)
                out[row, f] = best


@numba.njit(cache=True, nogil=True)
def peak_across(products: NDArray[np.float32], n_rows: int, out: NDArray[np.float32]) -> None:
    """Raise each output to the largest of all rows.

    Args:
        products: `(POINTS, n_tiles * n_rows, n_filters)`, laid out as `gather` does.
        n_rows: rows of it.
        out: `(n_tiles * OUTPUTS, n_filters)`, raised where a row has more.
    """
    n_filters = out.shape[1]
    for tile in range(products.shape[1] // n_rows):
        first, last = tile * OUTPUTS, (tile + 1) * n_rows - 1
        # Two rows at once: LLVM makes a masked store of a lone maximum, far slower than the sums.
        for at in range(tile * n_rows, last + 1, 2):
            then = min(at + 1, last)
            for f in range(n_filters):
                a, b, c, d = _outputs(products, at, f)
                e, g, h, i = _outputs(products, then, f)
                out[first, f] = max(out[first, f], a, e)
                out[first + 1, f] = max(out[first + 1, f], b, g)
                out[first + 2, f] = max(out[first + 2, f], c, h)
                out[first + 3, f] = max(out[first + 3, f], d, i)


@numba.njit(inline="always")
def _outputs(
    products: NDArray[np.float32], at: int, f: int
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """The way back of one group: the transpose of `_powers(OUTPUTS)`, written out."""
    one, minus_one = products[1, at, f], products[2, at, f]
    two, minus_two = products[3, at, f], products[4, at, f]
    half = products[5, at, f]
    even, odd = one + minus_one, one - minus_one
    even_2, odd_2 = two + minus_two, two - minus_two
    return (
        products[0, at, f] + even + even_2 + half,
        odd + np.float32(2.0) * odd_2 + np.float32(0.5) * half,
        even + np.float32(4.0) * even_2 + np.float32(0.25) * half,
        odd + np.float32(8.0) * odd_2 + np.float32(0.125) * half + products[6, at, f],
    )
