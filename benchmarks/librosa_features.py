"""The audio features as librosa itself computes them: what the fast path is held against.

`domains.music.audio.features` gives the same numbers; its tests compare every column with these,
`python -m benchmarks.audio_features` the time.
"""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE

_N_FFT = 2_048
_HOP = 512
_INAUDIBLE = 1e-4


def librosa_features(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Describe one signal as `extract_features` does."""
    frames, tempo = librosa_frames(samples)
    return np.concatenate([frames.mean(axis=0), frames.var(axis=0), [tempo]])


def librosa_frames(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Return the features of every frame `(n_frames, 44)`, and the tempo."""
    centred = samples - samples.mean()
    signal = (centred / np.abs(centred).max()).astype(np.float32)
    magnitude = np.abs(librosa.stft(signal, n_fft=_N_FFT, hop_length=_HOP))
    magnitude[magnitude < magnitude.max() * _INAUDIBLE] = 0.0
    mel_db = librosa.power_to_db(librosa.feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE))
    feature = librosa.feature
    centroid = feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE)
    rows = (
        feature.mfcc(S=mel_db, n_mfcc=20),
        feature.chroma_stft(S=magnitude**2, sr=SAMPLE_RATE, n_fft=_N_FFT, tuning=0.0),
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
    return np.vstack(rows).astype(np.float64).T, _tempo(mel_db)


def _tempo(mel_db: NDArray[np.float32]) -> float:
    onsets = librosa.onset.onset_strength(S=mel_db, sr=SAMPLE_RATE)
    tempo, _ = librosa.beat.beat_track(onset_envelope=onsets, sr=SAMPLE_RATE, hop_length=_HOP)
    return float(np.squeeze(tempo))
