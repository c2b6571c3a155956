"""The log-mel spectrogram that musicnn listens to, computed for the windows that are heard only."""

from __future__ import annotations

import librosa
import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from domains.music.audio.tagger.network import N_BANDS, N_FRAMES

SAMPLE_RATE = 16_000
"""Hz."""
_N_FFT = 512
HOP = 256
_WINDOW = scipy.signal.get_window("hann", _N_FFT).astype(np.float32)
_MEL = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=N_BANDS).T.copy()

_LOUDEST = np.float32(np.finfo(np.float16).max)


def n_frames(n_samples: int) -> int:
    """Frames of a signal: one centred at every multiple of the hop."""
    return 1 + n_samples // HOP


def log_mel(samples: NDArray[np.float32], starts: NDArray[np.int_]) -> NDArray[np.float32]:
    """Describe windows of a signal.

    Equal to the same frames of `log10(10000 · mel + 1)` over `librosa.feature.melspectrogram` of
    the whole signal, with the powers rounded to half precision, as the tagger was trained.

    Args:
        samples: `(n,)` mono at `SAMPLE_RATE`.
        starts: `(n_windows,)`, first frame of each; every window must lie inside the signal.

    Returns:
        `(n_windows, N_FRAMES, N_BANDS)`.
    """
    padded = np.pad(samples, _N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::HOP]
    windows = frames[starts[:, np.newaxis] + np.arange(N_FRAMES)] * _WINDOW
    spectrum = scipy.fft.rfft(windows, axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    with np.errstate(over="ignore"):
        rounded = (power @ _MEL).astype(np.float16)
    # Louder than half precision can hold never occurs at full scale 1; say loud, not infinite.
    mel = np.minimum(rounded.astype(np.float32), _LOUDEST)
    loud: NDArray[np.float32] = np.log10(10_000.0 * mel + 1.0)
    return loud
