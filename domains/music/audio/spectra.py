"""What one Fourier transform says of a signal: mel bands, pitch classes, shape of the spectrum.

Features and preview windows read the same `Spectra`, so both cost one transform. The numbers are
those of librosa (McFee et al. 2015, "librosa: Audio and music signal analysis in Python") with its
defaults: Slaney's mel bands and, for the pitch classes, Ellis's Gaussian bumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import librosa
import numpy as np
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.shape import N_CONTRAST, spectral_contrast, spectral_moments
from domains.music.audio.transform import (
    FRAME_LENGTH,
    N_BINS,
    N_COLUMNS,
    frame_blocks,
    magnitudes,
    padded_signal,
)

N_CHROMA = 12
INAUDIBLE = 1e-4
"""Relative to the loudest, -80 dB: weaker parts are rounding or codec noise and left out."""

_N_MEL = 128
_DYNAMIC_RANGE_DB = 80.0
_SMALLEST_POWER = 1e-10
_MEL_BANDS_AT_ONCE = 16
"""Neighbouring mel bands share bins: a few small products instead of one that is mostly zeros."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """A signal and what its frames hold; frames are rows, `n_frames = 1 + n // HOP`."""

    padded: NDArray[np.float32]
    """`(n + FRAME_LENGTH,)`: the signal, centred, its peak 1, between zeros."""
    mel_db: NDArray[np.float32]
    """`(n_frames, 128)`, power in mel bands, in dB, cut off 80 dB below the loudest."""
    chroma: NDArray[np.float32]
    """`(n_frames, N_CHROMA)`, power in pitch classes from C, the strongest 1; 0 in silence."""
    contrast_db: NDArray[np.float64]
    """`(n_frames, N_CONTRAST)`, what is inaudible counted as the quietest that is not."""
    moments_hz: NDArray[np.float64]
    """`(n_frames, 3)`: centroid, bandwidth, rolloff; 0 in silence."""

    @property
    def signal(self) -> NDArray[np.float32]:
        """The signal itself, `(n,)`."""
        return self.padded[FRAME_LENGTH // 2 : -(FRAME_LENGTH // 2)]


def analyse(samples: NDArray[np.float32]) -> Spectra:
    """Transform one signal.

    Args:
        samples: `(n,)` mono at `SAMPLE_RATE`, as `decode_bytes` returns it: at least a second,
            finite, not silent.

    Returns:
        Its spectra; those of a copy at another volume are the same.
    """
    padded = padded_signal(samples)
    magnitude = magnitudes(padded)
    n_frames = len(magnitude)
    inaudible = magnitude.max() * np.float32(INAUDIBLE)
    mel = np.empty((n_frames, _N_MEL), dtype=np.float32)
    chroma = np.empty((n_frames, N_CHROMA), dtype=np.float32)
    contrast_db = np.empty((n_frames, N_CONTRAST))
    moments_hz = np.empty((n_frames, 3))
    for part in frame_blocks(n_frames):
        audible = magnitude[part]
        # Contrast divides peaks by valleys and needs a bottom where the others need nothing.
        contrast_db[part] = spectral_contrast(audible, inaudible)
        np.multiply(audible, audible >= inaudible, out=audible)
        moments_hz[part] = spectral_moments(audible)
        power = audible * audible
        chroma[part] = power @ _chroma_weights()
        for bands, bins, weights in _mel_weights():
            mel[part, bands] = power[:, bins] @ weights
    return Spectra(padded, _decibels(mel), _relative_to_strongest(chroma), contrast_db, moments_hz)


def _decibels(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    decibels: NDArray[np.float32] = np.maximum(mel, np.float32(_SMALLEST_POWER))
    # numpy has vector instructions for the natural logarithm, none for the decadic.
    np.log(decibels, out=decibels)
    decibels *= np.float32(10 / np.log(10))
    np.maximum(decibels, decibels.max() - np.float32(_DYNAMIC_RANGE_DB), out=decibels)
    return decibels


def _relative_to_strongest(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    strongest = chroma.max(axis=1, keepdims=True)
    strongest[strongest < np.finfo(np.float32).tiny] = 1
    relative: NDArray[np.float32] = chroma / strongest
    return relative


@cache
def _mel_weights() -> tuple[tuple[slice, slice, NDArray[np.float32]], ...]:
    """Return for groups of mel bands: the bands, their bins, weights `(n_bins, n_bands)`."""
    weights = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FRAME_LENGTH, n_mels=_N_MEL)
    groups = []
    for first in range(0, _N_MEL, _MEL_BANDS_AT_ONCE):
        bands = slice(first, first + _MEL_BANDS_AT_ONCE)
        used = np.flatnonzero(weights[bands].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        groups.append((bands, bins, np.ascontiguousarray(weights[bands, bins].T)))
    return tuple(groups)


@cache
def _chroma_weights() -> NDArray[np.float32]:
    """Return `(N_COLUMNS, N_CHROMA)`.

    The tuning is fixed at A = 440 Hz: estimating it costs more than all the rest and jumps between
    near equals.
    """
    of_bins = librosa.filters.chroma(
        sr=SAMPLE_RATE, n_fft=FRAME_LENGTH, n_chroma=N_CHROMA, tuning=0.0
    )
    weights = np.zeros((N_COLUMNS, N_CHROMA), dtype=np.float32)
    weights[:N_BINS] = of_bins.T
    return weights
