"""Describes a signal by 89 numbers: timbre, harmony, spectral shape, dynamics and tempo.

The features are librosa's (McFee et al. 2015; MFCC after Davis and Mermelstein 1980), computed from
one Fourier transform in a fifth of its time. On music each column is within a thousandth of
librosa's, the tempo the same. librosa transforms in double precision, this in single: a part of the
sound that lies just at -80 dB may fall on the other side, which shows most where nothing but a few
tones or a hiss at that level is heard. For such signals the tests allow, absolutely or relatively,
whichever is more:

| columns | mean and variance over frames |
|---|---|
| mfcc | 0.2 dB (dB² of the variance), 1 % |
| chroma | 1e-5, 1e-5 |
| contrast | 0.001 dB, 0.1 % |
| centroid, bandwidth | 0.2 Hz, 0.3 % |
| rolloff | 1 Hz, 0.3 % |
| zero crossings | none but the rounding of sums |
| rms | 1e-6, 1e-6 |
| tempo | the same where sounds begin; of a steady tone both say what rounding says |
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.rhythm import estimate_tempo, onset_strength
from domains.music.audio.shape import N_CONTRAST
from domains.music.audio.spectra import INAUDIBLE, N_CHROMA, Spectra, analyse
from domains.music.audio.transform import FRAME_LENGTH, HOP

_Scalar = TypeVar("_Scalar", bound=np.generic)

_N_MFCC = 20

_FRAME_FEATURES: tuple[str, ...] = (
    *(f"mfcc_{i}" for i in range(_N_MFCC)),
    *(f"chroma_{i}" for i in range(N_CHROMA)),
    *(f"contrast_{i}" for i in range(N_CONTRAST)),
    "centroid_hz",
    "bandwidth_hz",
    "rolloff_hz",
    "zero_crossing_rate",
    "rms",
)
FEATURE_NAMES: tuple[str, ...] = (
    *(f"{name}_mean" for name in _FRAME_FEATURES),
    *(f"{name}_var" for name in _FRAME_FEATURES),
    "tempo_bpm",
)
"""Names of the columns of every feature vector, in order."""


def extract_features(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Describe one signal.

    Args:
        samples: `(n,)` mono at `SAMPLE_RATE`, as `decode_bytes` returns it: at least a second,
            finite, not silent.

    Returns:
        `(len(FEATURE_NAMES),)`: means and variances over frames, then the tempo (0 where no beat
        is found). The same samples give the same numbers.
    """
    return features_of(analyse(samples))


def features_of(spectra: Spectra) -> NDArray[np.float64]:
    """Describe a signal that has been transformed already, as `extract_features` does."""
    frames = frame_features(spectra)
    tempo = estimate_tempo(onset_strength(spectra.mel_db))
    return np.concatenate([frames.mean(axis=0), frames.var(axis=0), [tempo]])


def frame_features(spectra: Spectra) -> NDArray[np.float64]:
    """Return `(n_frames, 44)`: what the means and variances are taken of, in their order."""
    return np.column_stack(
        [
            spectra.mel_db @ _cosines(spectra.mel_db.shape[1]),
            spectra.chroma,
            spectra.contrast_db,
            spectra.moments_hz,
            _zero_crossing_rate(spectra.padded),
            root_mean_square(spectra.padded),
        ]
    )


def root_mean_square(padded: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `(n_frames,)`: how loud each frame of a signal from `padded_signal` is."""
    hops = _hops(padded)
    energy = np.einsum("hs,hs->h", hops, hops).astype(np.float64)
    return np.sqrt(_over_frames(energy) / FRAME_LENGTH)


def warm_up() -> None:
    """Run the extraction once on a made-up signal.

    The filters are made at the first call: call this before the server says that it is ready.
    """
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    clicks = (time_s % 0.5 < 0.05) * np.sin(2 * np.pi * 440 * time_s)
    extract_features(clicks.astype(np.float32))


@cache
def _cosines(n_bands: int) -> NDArray[np.float32]:
    """Return `(n_bands, _N_MFCC)`: the discrete cosine transform that makes MFCC of mel bands."""
    transform = scipy.fft.dct(np.eye(n_bands), axis=1, type=2, norm="ortho")
    return np.ascontiguousarray(transform[:, :_N_MFCC], dtype=np.float32)


def _zero_crossing_rate(padded: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `(n_frames,)`: changes of sign per sample; what is inaudible counts as positive."""
    half = FRAME_LENGTH // 2
    is_negative = padded < -np.float32(INAUDIBLE)
    # Before the signal it goes on as it begins, after it as it ends.
    is_negative[:half], is_negative[-half:] = is_negative[half], is_negative[-half - 1]
    crosses = np.concatenate([[False], is_negative[1:] != is_negative[:-1]])
    hops = _hops(crosses)
    counts = _over_frames(np.count_nonzero(hops, axis=1).astype(np.float64))
    # A frame does not know the sample before it.
    rate: NDArray[np.float64] = (counts - hops[: len(counts), 0]) / FRAME_LENGTH
    return rate


def _hops(padded: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return `(n_hops, HOP)`; frames are runs of whole hops, so each is summed up once."""
    return padded[: len(padded) // HOP * HOP].reshape(-1, HOP)


def _over_frames(of_hops: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum values `(n_hops,)` over the hops of each frame, `(n_frames,)`."""
    sums: NDArray[np.float64] = sliding_window_view(of_hops, FRAME_LENGTH // HOP).sum(axis=1)
    return sums
