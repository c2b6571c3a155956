"""Where sounds begin and how fast the beat is, from mel bands.

Onset strength is the mean rise of the mel bands in dB (Böck and Widmer 2013, without the maximum
filter); the tempo is the peak of the averaged autocorrelation tempogram under a log-normal prior
around 120 beats a minute (Ellis 2007, "Beat tracking by dynamic programming"). Both equal librosa.
"""

from __future__ import annotations

from functools import cache, lru_cache

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
_FAINT = 1e4
"""Windows with so many times less energy than the loudest are transformed one by one: in sums over
all they would drown in rounding."""


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

    In double precision: rounding in single precision outweighs the prior where evidence is lacking.
    """
    padded = np.pad(onsets.astype(np.float64), _LAGS // 2, mode="linear_ramp")
    padded = padded[: len(onsets) + _LAGS - 1]
    energy = np.correlate(padded**2, _hann() ** 2, "valid")
    loudest = energy.max()
    scale = 1 / np.where(energy < np.finfo(np.float64).tiny, np.inf, energy)
    faint = energy * _FAINT < loudest
    total = _of_all(padded, np.where(faint, 0.0, scale))
    if (alone := np.flatnonzero(faint & (scale > 0))).size:
        windows = sliding_window_view(padded, _LAGS)
        total += _of_each(windows[alone], scale[alone])
    mean: NDArray[np.float64] = total / len(onsets)
    return mean


def _of_each(windows: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(_LAGS,)`: the sum of `scale` times the autocorrelation of every window.

    The power spectra are summed, so that one transform leads back.
    """
    power = np.zeros(_TRANSFORM_LENGTH // 2 + 1)
    for start in range(0, len(windows), _WINDOWS_AT_ONCE):
        part = slice(start, start + _WINDOWS_AT_ONCE)
        bins = scipy.fft.rfft(windows[part] * _hann(), n=_TRANSFORM_LENGTH, axis=1, workers=1)
        power += scale[part] @ (bins.real**2 + bins.imag**2)
    total: NDArray[np.float64] = scipy.fft.irfft(power, n=_TRANSFORM_LENGTH)[:_LAGS]
    return total


def _of_all(padded: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(_LAGS,)`: what `_of_each` finds in the windows at all places of a signal.

    A window at t contributes scale[t] hann[s - t] hann[s - t + lag] to the product of the samples
    at s and s + lag. The product of two Hann windows is a sum of waves in t, and the windows that
    hold both samples are those of a run whose one end depends on s, the other on s + lag. So all is
    a sum of products of something at s and something at s + lag: correlations, of a few transforms
    instead of one a window.
    """
    n_samples, n_windows = len(padded), len(scale)
    length = scipy.fft.next_fast_len(n_samples + _LAGS)
    turn = _turns(n_samples)
    at = np.arange(n_samples)
    # Windows that begin at s at the latest, less those that end before s + lag, hold both samples.
    latest, ended = np.minimum(at + 1, n_windows), np.maximum(0, at + 1 - _LAGS)
    # Waves that turn 0, 1 and 2 times a window, summed over the windows before each.
    waves = scale * np.conj(turn[:n_windows]) ** np.arange(3)[:, np.newaxis]
    sums = np.pad(waves.cumsum(axis=1), ((0, 0), (1, 0)))
    begun, gone = padded * sums[:, latest], padded * sums[:, ended]
    turned = padded * turn
    firsts = np.stack([padded, turned, begun[0], begun[1], turn * begun[1], turn * begun[2]])
    seconds = np.stack([padded, turned, gone[0], gone[1], turn * gone[1], turn * gone[2]])
    x, tx, x0, x1, tx1, tx2 = np.conj(scipy.fft.fft(np.conj(firsts), length, workers=1))
    y, ty, y0, y1, ty1, ty2 = scipy.fft.fft(seconds, length, workers=1)
    # Of 4 hann[l] hann[l + lag] = (1 + cos(lag) / 2) - cos(l) - cos(l + lag) + cos(2 l + lag) / 2
    # the constant, and the waves; angles in turns of a window.
    constant = x0 * y - x * y0
    once = tx1 * y - tx * y1 + x1 * ty - x * ty1
    twice = tx2 * ty - tx * ty2
    both = scipy.fft.ifft(np.stack([constant, 0.5 * twice - once]), workers=1).real[:, :_LAGS]
    total: NDArray[np.float64] = (both[0] * (1 + 0.5 * turn.real[:_LAGS]) + both[1]) / 4
    return total


@lru_cache(maxsize=4)
def _turns(n: int) -> NDArray[np.complex128]:
    """Return `(n,)`: a wave that turns once a window."""
    turns: NDArray[np.complex128] = np.exp(2j * np.pi / _LAGS * np.arange(n))
    return turns


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
