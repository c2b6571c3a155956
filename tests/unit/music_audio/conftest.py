"""What the audio tests share: the shipped clips heard once, toy sounds, and a way to make files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import Clip, shipped_clips
from domains.music.audio.columns import SOUND_COLUMNS
from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.genre import fit_genre_model
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.genre_source import FittedGenres, TagGenres, sound_values
from domains.music.audio.heard_tracks import HeardTracks
from domains.music.audio.intake import AudioIntake
from domains.music.audio.sound import Ear

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def clips() -> tuple[Clip, ...]:
    return shipped_clips()


@pytest.fixture(scope="session")
def ear() -> Ear:
    return Ear()


@pytest.fixture(scope="session")
def intake() -> Iterator[AudioIntake]:
    decoders = AudioIntake(n_processes=2)
    yield decoders
    decoders.close()


@pytest.fixture(scope="session")
def heard(clips: tuple[Clip, ...], ear: Ear, intake: AudioIntake) -> HeardTracks:
    """All 36 shipped clips."""
    return HeardTracks.listen_to([clip.as_track() for clip in clips], ear, intake)


@pytest.fixture(scope="session")
def neighbours(heard: HeardTracks, ear: Ear, intake: AudioIntake) -> GenreNeighbors:
    """The clips with a model fitted on the 11 that have a label: four genres, seven recordings."""
    rows = np.flatnonzero([bool(genres) for genres in heard.labels])
    labels = GenreLabels.of(
        [heard.labels[row] for row in rows], [heard.artists[row] for row in rows]
    )
    values = sound_values(heard.features[rows], heard.tags[rows])
    source = FittedGenres(fit_genre_model(SOUND_COLUMNS, values, labels, seed=7))
    return GenreNeighbors.build(source, heard, ear, intake)


@pytest.fixture(scope="session")
def by_tags(heard: HeardTracks, ear: Ear, intake: AudioIntake) -> GenreNeighbors:
    """The clips with the tagger's own tags as genres."""
    return GenreNeighbors.build(TagGenres(), heard, ear, intake)


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
