"""Where sounds begin and how fast the beat is, from mel bands.

Onset strength is the mean rise of the mel bands in dB (Böck and Widmer 2013, without the maximum
filter); the tempo is the peak of the averaged autocorrelation tempogram under a log-normal prior
around 120 beats a minute (Ellis 2007, "Beat tracking by dynamic programming"). Both equal librosa.
"""

from __future__ import annotations

from functools import cache

import librosa
import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.transform import FRAME_LENGTH, HOP

_LAGS = 8 * SAMPLE_RATE // HOP
"""Frames in 8 s: the longest period looked for, and what one autocorrelation looks at."""
_TRANSFORM_LENGTH = scipy.fft.next_fast_len(2 * _LAGS - 1, real=True)
"""Long enough that the end of a window does not wrap around to its beginning."""
_LIKELY_BPM = 120.0
_FASTEST_BPM = 320.0
_WINDOWS_AT_ONCE = 128


def onset_strength(mel_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say how much begins in each frame.

    Args:
        mel_db: `(n_frames, n_bands)`, as in `Spectra`.

    Returns:
        `(n_frames,)`, in dB a frame, at least 0. A frame sees a sound before its centre has reached
        it: the strengths are moved to where the sound is.
    """
    rise = np.maximum(np.diff(mel_db, axis=0), 0).mean(axis=1)
    return np.pad(rise, (1 + FRAME_LENGTH // (2 * HOP), 0))[: len(mel_db)]


def estimate_tempo(onsets: NDArray[np.float32]) -> float:
    """Find the tempo in beats a minute, 0 where nothing begins.

    Args:
        onsets: `(n_frames,)` from `onset_strength`.
    """
    if not onsets.any():
        return 0.0
    tempi, log_prior = _tempi()
    # 1e6 is librosa's: next to nothing counts as nothing, the prior decides between the rest.
    evidence = np.log1p(1e6 * _mean_autocorrelation(onsets)) + log_prior
    return float(tempi[np.argmax(evidence)])


def _mean_autocorrelation(onsets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `(_LAGS,)`: autocorrelations around every frame, each 1 at lag 0, then averaged.

    The mean is taken of the power spectra, so that one transform leads back for all windows. It is
    taken in double precision: rounding in single precision outweighs the prior where evidence is
    lacking.
    """
    padded = np.pad(onsets.astype(np.float64), _LAGS // 2, mode="linear_ramp")
    windows = sliding_window_view(padded, _LAGS)[: len(onsets)]
    parts = np.zeros(_TRANSFORM_LENGTH + 2)
    for start in range(0, len(windows), _WINDOWS_AT_ONCE):
        window = windows[start : start + _WINDOWS_AT_ONCE] * _hann()
        energy = np.einsum("tl,tl->t", window, window)
        share = 1 / np.where(energy < np.finfo(np.float64).tiny, 1, energy)
        bins = scipy.fft.rfft(window, n=_TRANSFORM_LENGTH, axis=1, workers=1).view(np.float64)
        parts += share @ np.square(bins, out=bins)
    power = parts[::2] + parts[1::2]
    mean: NDArray[np.float64] = scipy.fft.irfft(power / len(onsets), n=_TRANSFORM_LENGTH)
    return mean[:_LAGS]


@cache
def _hann() -> NDArray[np.float64]:
    """Return the periodic Hann window `(_LAGS,)`."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_LAGS) / _LAGS)


@cache
def _tempi() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(_LAGS,)` each: the beats a minute of every lag, and their log prior."""
    tempi = librosa.tempo_frequencies(_LAGS, hop_length=HOP, sr=SAMPLE_RATE)
    octaves_off = np.log2(tempi) - np.log2(_LIKELY_BPM)
    return tempi, np.where(tempi < _FASTEST_BPM, -0.5 * octaves_off**2, -np.inf)
