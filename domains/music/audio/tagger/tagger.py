"""Tagger: hears a few windows of a sound and says which tags they carry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from domains.music.audio.tagger.front_end import FrontEnd
from domains.music.audio.tagger.network import N_FRAMES, Musicnn
from domains.music.audio.tagger.resampling import Resampled
from domains.music.audio.tagger.spectrogram import HOP, SAMPLE_RATE, log_mel, n_frames
from domains.music.audio.tagger.tags import MSD_TAGS, MTT_TAGS

_WEIGHTS = Path(__file__).with_name("weights")
_TAGS = {"msd": MSD_TAGS, "mtt": MTT_TAGS}
_WINDOW_S = 3.1
"""A little more than a window: shorter sounds are repeated up to here."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What the tagger makes of a sound, window by window."""

    tags: NDArray[np.float32]
    """`(n_windows, 50)`, the taggram: probability of each tag."""
    units: NDArray[np.float32]
    """`(n_windows, 200)`, the layer before the tags."""


class Tagger:
    """A pretrained tagger; immutable and safe to call from several threads."""

    def __init__(self, name: str, network: Musicnn) -> None:
        self.tags = _TAGS[name]
        """Names of the 50 tags, in order."""
        self._network = network
        self._front_end = FrontEnd(network)

    @classmethod
    def load(cls, name: str = "msd") -> Tagger:
        """Read the weights that ship with Encore: "msd" or "mtt"."""
        return cls(name, Musicnn.load(_WEIGHTS / f"{name}_musicnn.safetensors"))

    def listen(
        self, samples: NDArray[np.float32], sample_rate: int, most_windows: int | None = None
    ) -> Heard:
        """Hear a sound.

        Args:
            samples: `(n,)` mono, full scale 1, of at least some milliseconds. A sound shorter than
                a window (3 s) is repeated until it fills one.
            sample_rate: Hz.
            most_windows: hear so many windows, spread evenly over the sound; by default, and if
                there are no more, one after the other from the beginning.
        """
        return self.hear(log_mel_windows(samples, sample_rate, most_windows))

    def hear(self, windows: NDArray[np.float32]) -> Heard:
        """Hear windows `(n, N_FRAMES, N_BANDS)` of a spectrogram that `log_mel` made."""
        front = torch.from_numpy(self._front_end(windows))
        with torch.inference_mode():
            tags, units = self._network.back_end(front)
        return Heard(tags.numpy(), units.numpy())


def log_mel_windows(
    samples: NDArray[np.float32], sample_rate: int, most_windows: int | None
) -> NDArray[np.float32]:
    """What `listen` hears: `(n_windows, N_FRAMES, N_BANDS)`."""
    signal = Resampled(samples, sample_rate, SAMPLE_RATE)
    shortest = int(_WINDOW_S * SAMPLE_RATE)
    if len(signal) < shortest:
        repeated = np.resize(signal.stretch(0, len(signal)), shortest)
        signal = Resampled(repeated, SAMPLE_RATE, SAMPLE_RATE)
    starts = window_starts(n_frames(len(signal)), most_windows)
    return np.concatenate([_window(signal, int(start)) for start in starts])


def _window(signal: Resampled, start: int) -> NDArray[np.float32]:
    """The window `(1, N_FRAMES, N_BANDS)` that begins with a frame, from what it looks at alone."""
    frames_before = min(start, 1)  # a frame reaches a hop to both sides of its centre
    end = min((start + N_FRAMES) * HOP, len(signal))
    stretch = signal.stretch((start - frames_before) * HOP, end)
    return log_mel(stretch, np.array([frames_before]))


def window_starts(frames: int, most_windows: int | None) -> NDArray[np.int_]:
    """First frames of the windows heard of a signal of so many frames, at least `N_FRAMES`."""
    n_whole = frames // N_FRAMES
    if most_windows is None or n_whole <= most_windows:
        return np.arange(n_whole) * N_FRAMES
    centres = (np.arange(most_windows) + 0.5) * frames / most_windows
    starts: NDArray[np.int_] = np.clip((centres - N_FRAMES / 2).astype(int), 0, frames - N_FRAMES)
    return starts
