"""Describes a signal by 89 numbers: timbre, harmony, spectral shape, dynamics and tempo.

One Fourier transform serves all spectral features. The signal is centred and scaled to peak 1
first, so that a copy at another volume has the same features.
"""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE

_N_FFT = 2_048
_HOP = 512
_N_MFCC = 20
_N_CHROMA = 12
_N_CONTRAST = 7
_INAUDIBLE = 1e-4
"""Relative to the loudest, -80 dB: weaker parts are rounding or codec noise and left out."""

_FRAME_FEATURES: tuple[str, ...] = (
    *(f"mfcc_{i}" for i in range(_N_MFCC)),
    *(f"chroma_{i}" for i in range(_N_CHROMA)),
    *(f"contrast_{i}" for i in range(_N_CONTRAST)),
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
    centred = samples - samples.mean()
    signal = (centred / np.abs(centred).max()).astype(np.float32)
    magnitude = np.abs(librosa.stft(signal, n_fft=_N_FFT, hop_length=_HOP))
    magnitude[magnitude < magnitude.max() * _INAUDIBLE] = 0.0
    mel_db = librosa.power_to_db(librosa.feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE))
    frames = np.vstack(_frame_features(signal, magnitude, mel_db)).astype(np.float64)
    return np.concatenate([frames.mean(axis=1), frames.var(axis=1), [_tempo(mel_db)]])


def warm_up() -> None:
    """Run the extraction once on a made-up signal.

    librosa's kernels compile at their first call, which takes seconds (20 s on a machine that has
    never run them): call this before the server says that it is ready.
    """
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    clicks = (time_s % 0.5 < 0.05) * np.sin(2 * np.pi * 440 * time_s)
    extract_features(clicks.astype(np.float32))


def _frame_features(
    signal: NDArray[np.float32], magnitude: NDArray[np.float32], mel_db: NDArray[np.float32]
) -> tuple[NDArray[np.float32], ...]:
    """Return arrays `(rows, n_frames)` in the order of `_FRAME_FEATURES`."""
    feature = librosa.feature
    # A fixed tuning: estimating it costs more than all the rest and jumps between near equals.
    chroma = feature.chroma_stft(S=magnitude**2, sr=SAMPLE_RATE, n_fft=_N_FFT, tuning=0.0)
    centroid = feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE)
    return (
        feature.mfcc(S=mel_db, n_mfcc=_N_MFCC),
        chroma,
        # The ratio of peaks to valleys needs a bottom where the others need nothing.
        feature.spectral_contrast(
            S=np.maximum(magnitude, magnitude.max() * _INAUDIBLE), sr=SAMPLE_RATE
        ),
        centroid,
        feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE, centroid=centroid),
        feature.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE),
        feature.zero_crossing_rate(
            signal, frame_length=_N_FFT, hop_length=_HOP, threshold=_INAUDIBLE
        ),
        feature.rms(y=signal, frame_length=_N_FFT, hop_length=_HOP),
    )


def _tempo(mel_db: NDArray[np.float32]) -> float:
    onsets = librosa.onset.onset_strength(S=mel_db, sr=SAMPLE_RATE)
    tempo, _ = librosa.beat.beat_track(onset_envelope=onsets, sr=SAMPLE_RATE, hop_length=_HOP)
    return float(np.squeeze(tempo))
