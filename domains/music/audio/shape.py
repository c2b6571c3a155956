"""The shape of a spectrum, frame by frame: centroid, bandwidth, rolloff and contrast.

Centroid and bandwidth are the first two moments of the magnitudes, rolloff the frequency below
which 85 % of them lie; contrast compares the peaks of octave bands with their valleys (Jiang et al.
2002, "Music type classification by spectral contrast feature"). All equal librosa.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from domains.music.audio.transform import BIN_HZ, BLOCK, N_BINS, N_BLOCKS

N_CONTRAST = 7

_ROLLED_OFF = 0.85
_LOWEST_OCTAVE_HZ = 200.0
_EXTREME_SHARE = 0.02
"""Of the bins of a band: that many of the strongest are its peak, of the weakest its valley."""


def spectral_moments(magnitude: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `(n_frames, 3)` in Hz: centroid, bandwidth, rolloff; all 0 where nothing is heard.

    Moments within blocks of bins are taken in single precision around the block's middle and joined
    in double precision: narrow sounds high up do not drown in rounding.

    Args:
        magnitude: `(n_frames, N_COLUMNS)` from `magnitudes`.
    """
    blocks = magnitude.reshape(-1, N_BLOCKS, BLOCK)
    within, across = _moment_weights()
    sums = (blocks.reshape(-1, BLOCK) @ within).reshape(len(blocks), -1).astype(np.float64)
    zeroth, first, second = (sums @ across).T
    share = 1 / np.where(zeroth > 0, zeroth, 1)
    centroid = share * first
    bandwidth = np.sqrt(np.maximum(share * second - centroid**2, 0))
    return BIN_HZ * np.column_stack([centroid, bandwidth, _rolloff(blocks, sums[:, ::3])])


@cache
def _moment_weights() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what makes the moments 0 to 2 of magnitudes.

    `(BLOCK, 3)` for those of a block around its middle, then `(3 * N_BLOCKS, 3)` for those of a
    frame around bin 0 from those of its blocks.
    """
    middle = (BLOCK - 1) / 2
    offset = np.arange(BLOCK) - middle
    within = np.column_stack([offset**0, offset, offset**2]).astype(np.float32)
    across = np.zeros((N_BLOCKS, 3, 3))
    # The binomial theorem: (middle + offset) to the powers 0, 1 and 2.
    across[:, 0, 0] = across[:, 1, 1] = across[:, 2, 2] = 1
    across[:, 0, 1] = BLOCK * np.arange(N_BLOCKS) + middle
    across[:, 0, 2] = across[:, 0, 1] ** 2
    across[:, 1, 2] = 2 * across[:, 0, 1]
    return within, across.reshape(-1, 3)


def _rolloff(blocks: NDArray[np.float32], sums: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `(n_frames,)` bins, from magnitudes `(n_frames, N_BLOCKS, BLOCK)` and block sums."""
    reached = sums.cumsum(axis=1)
    threshold = _ROLLED_OFF * reached[:, -1:]
    block = (reached < threshold).sum(axis=1)
    frame = np.arange(len(blocks))
    within = blocks[frame, block].cumsum(axis=1, dtype=np.float64)
    within += (reached - sums)[frame, block][:, None]
    # Rounding may leave the last bin of the block short of what the block as a whole has reached.
    bins = np.minimum((within < threshold).sum(axis=1), BLOCK - 1)
    rolloff: NDArray[np.int64] = BLOCK * block + bins
    return rolloff


def spectral_contrast(magnitude: NDArray[np.float32], floor: np.float32) -> NDArray[np.float64]:
    """Return `(n_frames, N_CONTRAST)` in dB (ten times the decadic logarithm of magnitudes).

    Args:
        magnitude: `(n_frames, N_BINS)` or more columns.
        floor: above 0; what is below counts as the floor.
    """
    peaks = np.empty((len(magnitude), N_CONTRAST), dtype=np.float32)
    valleys = np.empty_like(peaks)
    for band, (bins, n_extreme) in enumerate(_octaves()):
        ascending = np.sort(magnitude[:, bins], axis=1)
        # Raised to the floor after sorting: few of them remain.
        strongest = np.maximum(ascending[:, -n_extreme:], floor)
        weakest = np.maximum(ascending[:, :n_extreme], floor)
        np.add.reduce(strongest, axis=1, out=peaks[:, band])
        np.add.reduce(weakest, axis=1, out=valleys[:, band])
    contrast: NDArray[np.float64] = 10 * np.log10(peaks / valleys)
    return contrast


@cache
def _octaves() -> tuple[tuple[slice, int], ...]:
    """Return for each band its bins and how many of them are a peak or a valley.

    As librosa has it: a band begins one bin before its lower edge and, but for the last, ends one
    bin before its upper; the count of extremes is of the band with its last bin.
    """
    frequencies = BIN_HZ * np.arange(N_BINS)
    edges = np.concatenate([[0.0], _LOWEST_OCTAVE_HZ * 2.0 ** np.arange(N_CONTRAST)])
    octaves = []
    for band in range(N_CONTRAST):
        inside = np.flatnonzero((frequencies >= edges[band]) & (frequencies <= edges[band + 1]))
        is_last = band == N_CONTRAST - 1
        first = int(inside[0]) - (band > 0)
        end = N_BINS if is_last else int(inside[-1]) + 1
        n_extreme = max(1, int(np.rint(_EXTREME_SHARE * (end - first))))
        octaves.append((slice(first, end if is_last else end - 1), n_extreme))
    return tuple(octaves)
