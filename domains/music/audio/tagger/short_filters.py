"""Correlation with long filters in a third of the multiplications, exactly.

A filter is cut into blocks of 5 taps. Toom and Cook's scheme gives 6 neighbouring outputs of such a
block for 10 multiplications instead of 30: transform 10 inputs, multiply, transform back. (In nets
it is known as Winograd's: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
2016.) All blocks of a filter add up before the way back, so that the multiplications of all filters
are ten matrix products. Longer blocks would save little more and lose digits: in single precision
these are off by at most 4e-5 of what is typical.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

TAPS = 5
"""Taps of a block."""
OUTPUTS = 6
"""Neighbouring outputs that are computed together."""
POINTS = TAPS + OUTPUTS - 1
"""Inputs of such a group, and multiplications."""

# Where the two polynomials are evaluated; the tenth point is infinity. Pairs of opposite points
# share half of the way back; these, of all small ones, round least.
_AT = (0.0, 1.0, -1.0, 3.0, -3.0, 1.5, -1.5, 0.5, -0.5)


def _powers(size: int) -> NDArray[np.float64]:
    """Evaluation of a polynomial of `size` coefficients: `(POINTS, size)`."""
    values = np.vander(_AT, size, increasing=True)
    return np.vstack([values, np.eye(size)[-1]])


# Tellegen's transposition turns interpolation of a product of polynomials into correlation.
_INPUTS = np.linalg.inv(_powers(POINTS)).T.astype(np.float32)
_FILTERS = _powers(TAPS)
_F = np.float32


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


def transform_rows(rows: NDArray[np.float32], n_places: int) -> NDArray[np.float32]:
    """Prepare inputs.

    Args:
        rows: `(n_rows, n)`, read along; what lies behind the end counts as zero.
        n_places: groups of `POINTS` inputs, one beginning at each of the first places.

    Returns:
        `(POINTS, n_rows, n_places)`.
    """
    filled = np.zeros((len(rows), n_places + POINTS - 1), dtype=np.float32)
    n = min(filled.shape[1], rows.shape[1])
    filled[:, :n] = rows[:, :n]
    transformed = np.zeros((POINTS, len(rows), n_places), dtype=np.float32)
    _add_transforms(filled, _INPUTS, transformed)
    return transformed


def places(n_tiles: int, n_blocks: int) -> int:
    """How many groups of inputs so many groups of outputs of filters of so many blocks look at."""
    return (n_tiles - 1) * OUTPUTS + (n_blocks - 1) * TAPS + 1


@numba.njit(cache=True, nogil=True)
def _add_transforms(
    rows: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    for point in range(out.shape[0]):
        for row in range(out.shape[1]):
            for at in range(weights.shape[1]):
                weight = weights[point, at]
                if weight != 0.0:
                    for place in range(out.shape[2]):
                        out[point, row, place] += weight * rows[row, place + at]


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
        inputs: `(POINTS, rows, places)` from `transform_rows`.
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
                            point, first_row + row + across, tile * OUTPUTS + block * TAPS
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
                a, b, c, d, e, g = _outputs(products, at, f)
                best = max(out[row, f], a)
                if whole > 1:
                    best = max(best, b)
                if whole > 2:
                    best = max(best, c)
                if whole > 3:
                    best = max(best, d)
                if whole > 4:
                    best = max(best, e)
                if whole > 5:
                    best = max(best, g)
                out[row, f] = best


@numba.njit(cache=True, nogil=True)
def peak_across(products: NDArray[np.float32], n_rows: int, out: NDArray[np.float32]) -> None:
    """Raise each output to the largest of all rows.

    Args:
        products: `(POINTS, n_tiles * n_rows, n_filters)`, laid out as `gather` does.
        n_rows: rows of it.
        out: `(n_tiles * OUTPUTS, n_filters)`, raised where a row has more.
    """
    raised = np.empty((OUTPUTS, out.shape[1]), dtype=np.float32)
    for tile in range(products.shape[1] // n_rows):
        best = out[tile * OUTPUTS : (tile + 1) * OUTPUTS]
        last = (tile + 1) * n_rows - 1
        # There and back: of a maximum with itself LLVM makes a masked store, far slower than sums.
        for at in range(tile * n_rows, last + 1, 2):
            _raise(products, at, best, raised)
            _raise(products, min(at + 1, last), raised, best)


@numba.njit(inline="always")
def _raise(
    products: NDArray[np.float32], at: int, best: NDArray[np.float32], raised: NDArray[np.float32]
) -> None:
    """Write the larger of `best` and the outputs of one group, `(OUTPUTS, n_filters)` each."""
    for f in range(best.shape[1]):
        a, b, c, d, e, g = _outputs(products, at, f)
        raised[0, f] = max(best[0, f], a)
        raised[1, f] = max(best[1, f], b)
        raised[2, f] = max(best[2, f], c)
        raised[3, f] = max(best[3, f], d)
        raised[4, f] = max(best[4, f], e)
        raised[5, f] = max(best[5, f], g)


@numba.njit(inline="always")
def _outputs(
    products: NDArray[np.float32], at: int, f: int
) -> tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]:
    """The way back of one group: the transpose of `_powers(OUTPUTS)`, written out."""
    even_1, odd_1 = _pair(products[1, at, f], products[2, at, f])
    even_3, odd_3 = _pair(products[3, at, f], products[4, at, f])
    even_h, odd_h = _pair(products[5, at, f], products[6, at, f])  # one and a half
    even_q, odd_q = _pair(products[7, at, f], products[8, at, f])  # one half
    return (
        products[0, at, f] + (even_1 + even_3) + (even_h + even_q),
        (odd_1 + _F(3.0) * odd_3) + (_F(1.5) * odd_h + _F(0.5) * odd_q),
        (even_1 + _F(9.0) * even_3) + (_F(2.25) * even_h + _F(0.25) * even_q),
        (odd_1 + _F(27.0) * odd_3) + (_F(3.375) * odd_h + _F(0.125) * odd_q),
        (even_1 + _F(81.0) * even_3) + (_F(5.0625) * even_h + _F(0.0625) * even_q),
        (odd_1 + _F(243.0) * odd_3)
        + (_F(7.59375) * odd_h + _F(0.03125) * odd_q)
        + products[9, at, f],
    )


@numba.njit(inline="always")
def _pair(plus: np.float32, minus: np.float32) -> tuple[np.float32, np.float32]:
    """Sum and difference of the products at opposite points."""
    return plus + minus, plus - minus
