"""What the audio tests share: the shipped clips described once, and a way to make files."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import Clip, shipped_clips
from domains.music.audio.decode import SAMPLE_RATE

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def clips() -> tuple[Clip, ...]:
    return shipped_clips()


@pytest.fixture(scope="session")
def neighbours(clips: tuple[Clip, ...]) -> GenreNeighbors:
    return GenreNeighbors.build([clip.as_track() for clip in clips], seed=7)


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Return a function that writes samples `(n,)` or `(n, channels)` as a file in memory."""

    def encode_as(
        samples: NDArray[np.floating],
        container: str = "WAV",
        subtype: str | None = None,
        rate: int = SAMPLE_RATE,
    ) -> bytes:
        stream = io.BytesIO()
        soundfile.write(stream, samples, rate, format=container, subtype=subtype)
        return stream.getvalue()

    return encode_as


@pytest.fixture(scope="session")
def tone() -> NDArray[np.float64]:
    """Two seconds of 440 Hz at half of full scale."""
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    wave: NDArray[np.float64] = 0.5 * np.sin(2 * np.pi * 440 * time_s)
    return wave
