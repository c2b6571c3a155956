"""The Fourier transform that every spectral number of a sound is made of.

Frames are librosa's by default: Hann windows of 2,048 samples every 512, centred, with zeros beyond
both ends of the signal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache

import librosa
import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE

FRAME_LENGTH = 2_048
"""Samples that one frame looks at."""
HOP = 512
"""Samples from one frame to the next."""
N_BINS = FRAME_LENGTH // 2 + 1
BIN_HZ = SAMPLE_RATE / FRAME_LENGTH
BLOCK = 32
"""Bins that are summed together first, so that single precision is enough for sums over a frame."""
N_BLOCKS = -(-N_BINS // BLOCK)
N_COLUMNS = N_BLOCKS * BLOCK
"""Of a matrix of magnitudes: its bins and columns of zeros that fill the last block."""

_FRAMES_AT_ONCE = 128


class _Scratch(threading.local):
    """Memory for magnitudes, kept by each thread: fresh pages would cost as much as the transform.

    A minute of sound needs 11 MB.
    """

    def __init__(self) -> None:
        self._magnitude = np.zeros((0, N_COLUMNS), dtype=np.float32)

    def magnitude(self, n_frames: int) -> NDArray[np.float32]:
        if len(self._magnitude) < n_frames:
            self._magnitude = np.zeros((n_frames, N_COLUMNS), dtype=np.float32)
        return self._magnitude[:n_frames]


_SCRATCH = _Scratch()


def padded_signal(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `(n + FRAME_LENGTH,)`: samples centred, their peak 1, between zeros."""
    half = FRAME_LENGTH // 2
    padded = np.zeros(len(samples) + FRAME_LENGTH, dtype=np.float32)
    signal = padded[half:-half]
    np.subtract(samples, samples.mean(), out=signal)
    signal /= max(signal.max(), -signal.min())
    return padded


def magnitudes(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform a signal from `padded_signal`.

    Returns:
        `(n_frames, N_COLUMNS)` with `n_frames = 1 + n // HOP`, overwritten by the next call of the
        same thread: use it up or copy it.
    """
    frames = sliding_window_view(padded, FRAME_LENGTH)[::HOP]
    window = _hann()
    magnitude = _SCRATCH.magnitude(len(frames))
    for part in frame_blocks(len(frames)):
        bins = scipy.fft.rfft(frames[part] * window, axis=1, overwrite_x=True, workers=1)
        np.abs(bins, out=magnitude[part, :N_BINS])
    return magnitude


@cache
def _hann() -> NDArray[np.float32]:
    window: NDArray[np.float32] = librosa.filters.get_window("hann", FRAME_LENGTH)
    return window.astype(np.float32)


def frame_blocks(n_frames: int) -> Iterator[slice]:
    """Cut frames into runs whose intermediate results stay in a core's own cache."""
    for start in range(0, n_frames, _FRAMES_AT_ONCE):
        yield slice(start, min(start + _FRAMES_AT_ONCE, n_frames))
