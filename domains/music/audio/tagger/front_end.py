"""The front end of musicnn on the CPU, the costliest part of listening: exact, yet far faster.

A filter's map is only ever looked at through its maximum over frequency. Normalisation and ReLU are
monotone, so the maximum can be taken first (of the negated map, where the norm's slope falls); no
map is ever written out, and `short_filters` saves two thirds of the multiplications.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from domains.music.audio.tagger.network import (
    EPSILON,
    N_BANDS,
    N_FRAMES,
    Musicnn,
    temporal_padding,
)
from domains.music.audio.tagger.short_filters import (
    OUTPUTS,
    POINTS,
    TAPS,
    gather,
    peak_across,
    peak_along,
    places,
    transform_filters,
    transform_rows,
)

_ACROSS = 7
"""Frames that a timbral filter spans."""
_ROWS = 12
"""Rows (frames of timbral, bands of temporal filters) at a time: what fits into a core's cache."""


@dataclass(frozen=True, eq=False)
class _Filters:
    """Filters of one shape, their signs turned so that the norm after them rises."""

    transformed: NDArray[np.float32]
    """`(POINTS, rows across * blocks, n_filters)`."""
    n_taps: int
    bias: NDArray[np.float32]
    """`(n_filters,)`, its sign turned likewise."""
    sign: NDArray[np.float32]
    """`(n_filters,)`, 1 or -1."""
    slope: NDArray[np.float32]
    """`(n_filters,)`, of the norm."""
    offset: NDArray[np.float32]
    """`(n_filters,)`, of the norm."""

    @classmethod
    def of(
        cls,
        state: Mapping[str, Tensor],
        names: Sequence[tuple[str, str]],
        order: tuple[int, int, int],
    ) -> _Filters:
        """Prepare filters of a network, side by side.

        Args:
            state: its parameters.
            names: of the filters, `(n_filters, 1, frames, bands)`, and of the normalisation after
                them, the longest first. Shorter ones get zeros around them, so that all read the
                same inputs under "same" padding.
            order: axes of (filters, frames, bands) to make (across, along, filters) of them.
        """
        slope, offset = (
            np.concatenate(parts)
            for parts in zip(*(_affine(state, norm) for _, norm in names), strict=True)
        )
        sign = np.where(slope < 0, np.float32(-1.0), np.float32(1.0))
        kernels = [state[f"{name}.weight"].squeeze(1).permute(order).numpy() for name, _ in names]
        n_taps = kernels[0].shape[1]
        bank = np.concatenate([_lengthened(kernel, n_taps) for kernel in kernels], axis=2)
        bias = np.concatenate([state[f"{name}.bias"].numpy() for name, _ in names])
        return cls(transform_filters(bank * sign), n_taps, bias * sign, sign, slope, offset)

    @property
    def n_filters(self) -> int:
        return len(self.bias)

    @property
    def n_blocks(self) -> int:
        return -(-self.n_taps // TAPS)

    def finish(self, peaks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bias, ReLU and norm of `(n, n_filters)` maxima."""
        active = np.maximum((peaks + self.bias) * self.sign, np.float32(0.0))
        finished: NDArray[np.float32] = active * self.slope + self.offset
        return finished


class _Scratch:
    """Room for one product after the other: fresh memory would cost more than the products."""

    def __init__(self) -> None:
        self._laid_out = np.empty(0, dtype=np.float32)
        self._products = np.empty(0, dtype=np.float32)

    def laid_out(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """What is multiplied; valid until the next call."""
        if self._laid_out.size < math.prod(shape):
            self._laid_out = np.empty(math.prod(shape), dtype=np.float32)
        return self._laid_out[: math.prod(shape)].reshape(shape)

    def products(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """What comes of it; valid until the next call."""
        if self._products.size < math.prod(shape):
            self._products = np.empty(math.prod(shape), dtype=np.float32)
        return self._products[: math.prod(shape)].reshape(shape)


class FrontEnd:
    """The same as `Musicnn.front_end`, to rounding; immutable."""

    def __init__(self, network: Musicnn) -> None:
        state = network.state_dict()
        slope, offset = _affine(state, "input_norm")
        self._slope, self._offset = slope[0], offset[0]
        self._timbral = [
            _Filters.of(state, [(f"timbral.{i}", f"front_norms.{i}")], (1, 2, 0)) for i in range(2)
        ]
        # One bank, zeros and all: its products take hardly longer than three, the rest less.
        self._temporal = _Filters.of(
            state, [(f"temporal.{i}", f"front_norms.{i + 2}") for i in range(3)], (2, 1, 0)
        )

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows `(n, N_FRAMES, N_BANDS)` to `(n, 561, N_FRAMES)`."""
        n_maps = sum(filters.n_filters for filters in (*self._timbral, self._temporal))
        out = np.empty((len(windows), n_maps, N_FRAMES), dtype=np.float32)
        scratch = _Scratch()
        for row, window in enumerate(windows):
            image = window * self._slope + self._offset
            found = [
                *(_timbral(image, filters, scratch) for filters in self._timbral),
                _temporal(image, self._temporal, scratch),
            ]
            out[row] = np.concatenate(found, axis=1).T
        return out


def _timbral(
    image: NDArray[np.float32], filters: _Filters, scratch: _Scratch
) -> NDArray[np.float32]:
    """Filters along frequency over 7 frames: `(N_FRAMES, n_filters)`."""
    n_outputs = N_BANDS - filters.n_taps + 1
    n_tiles = -(-n_outputs // OUTPUTS)
    padded = np.pad(image, ((_ACROSS // 2, _ACROSS // 2), (0, 0)))
    inputs = transform_rows(padded, places(n_tiles, filters.n_blocks))
    peaks = np.empty((N_FRAMES, filters.n_filters), dtype=np.float32)
    for first in range(0, N_FRAMES, _ROWS):
        n_rows = min(_ROWS, N_FRAMES - first)
        products = _products(inputs, filters, first, n_rows, _ACROSS, n_tiles, scratch)
        peak_along(products, n_tiles, n_outputs, peaks[first : first + n_rows])
    return filters.finish(peaks)


def _temporal(
    image: NDArray[np.float32], filters: _Filters, scratch: _Scratch
) -> NDArray[np.float32]:
    """Filters along time in one band: `(N_FRAMES, n_filters)`."""
    n_tiles = -(-N_FRAMES // OUTPUTS)
    padded = np.pad(image.T, ((0, 0), temporal_padding(filters.n_taps)))
    inputs = transform_rows(padded, places(n_tiles, filters.n_blocks))
    peaks = np.full((n_tiles * OUTPUTS, filters.n_filters), -np.inf, dtype=np.float32)
    for first in range(0, N_BANDS, _ROWS):
        products = _products(inputs, filters, first, _ROWS, 1, n_tiles, scratch)
        peak_across(products, _ROWS, peaks)
    return filters.finish(peaks[:N_FRAMES])


def _products(
    inputs: NDArray[np.float32],
    filters: _Filters,
    first_row: int,
    n_rows: int,
    n_across: int,
    n_tiles: int,
    scratch: _Scratch,
) -> NDArray[np.float32]:
    n_places = n_tiles * n_rows
    laid_out = scratch.laid_out((POINTS, n_places, n_across * filters.n_blocks))
    gather(inputs, first_row, n_rows, n_across, n_tiles, filters.n_blocks, laid_out)
    products = scratch.products((POINTS, n_places, filters.n_filters))
    np.matmul(laid_out, filters.transformed, out=products)
    return products


def _lengthened(kernel: NDArray[np.float32], n_taps: int) -> NDArray[np.float32]:
    """Filters `(across, along, filters)` of so many taps along that find the same, padded alike."""
    before = temporal_padding(n_taps)[0] - temporal_padding(kernel.shape[1])[0]
    return np.pad(kernel, ((0, 0), (before, n_taps - kernel.shape[1] - before), (0, 0)))


def _affine(
    state: Mapping[str, Tensor], norm: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slope and offset of a batch normalisation at rest."""
    weight, bias, mean, variance = (
        state[f"{norm}.{part}"].double().numpy()
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    slope = weight / np.sqrt(variance + EPSILON)
    return slope.astype(np.float32), (bias - mean * slope).astype(np.float32)
