"""The genre capability of music, as the core's contract has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from core.domain import StoredGenre
from core.requests import GenreAnswer, GenreStatus
from domains.music.audio.answer import GenreAnswer as AudioAnswer
from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import shipped_clips
from domains.music.audio.genre_source import GenreSource, TagGenres, load_genre_source
from domains.music.audio.heard_tracks import HeardTracks
from domains.music.audio.intake import AudioIntake
from domains.music.audio.labelled import GENRE_DIRECTORY, labelled_tracks
from domains.music.audio.sound import Ear


@dataclass(frozen=True)
class IndexedSounds:
    """Answers from the index of the tracks that were listened to."""

    neighbors: GenreNeighbors

    def by_track(
        self, track_id: str, k: int, same_genre: bool, pool_ids: frozenset[str] | None
    ) -> GenreAnswer:
        """Genres and the k nearest tracks of a track's sound."""
        return _answer(self.neighbors.by_track(track_id, k, same_genre, pool_ids))

    def by_audio(
        self, audio: bytes, k: int, same_genre: bool, pool_ids: frozenset[str] | None
    ) -> GenreAnswer:
        """The same for a sound file."""
        return _answer(self.neighbors.by_audio(audio, k, same_genre, pool_ids))

    def tagged(self, tag: str) -> tuple[str, ...]:
        """Ids of the tracks that carry a genre, mood or instrument."""
        return self.neighbors.tagged(tag)

    def warm_up(self) -> None:
        """Do what the first call would wait for."""
        self.neighbors.warm_up()

    def save(self, directory: Path) -> None:
        """Write the source of genres, the index and the tracks."""
        self.neighbors.save(directory)


@dataclass(frozen=True)
class MusicGenre:
    """Builds the capability from a sound library, or from the clips that ship with Encore."""

    intake: AudioIntake = field(default_factory=AudioIntake)
    """Decodes for every version that is served; its processes start when first needed."""

    @cached_property
    def _ear(self) -> Ear:
        return Ear()

    def build(
        self, *, sounds: Path | None, seed: int, progress: Callable[[float], None] | None
    ) -> IndexedSounds:
        """Index the tracks of a library with its genre model, if it has one.

        Without a library the shipped clips are heard, and genres are the tagger's tags.
        """
        del seed  # what is random was drawn when the library's model was fitted
        source: GenreSource
        if sounds is None:
            clips = [clip.as_track() for clip in shipped_clips()]
            tracks = HeardTracks.listen_to(clips, self._ear, self.intake, progress)
            source = TagGenres()
        else:
            tracks, source = labelled_tracks(sounds), load_genre_source(sounds / GENRE_DIRECTORY)
        return IndexedSounds(GenreNeighbors.build(source, tracks, self._ear, self.intake))

    def load(self, directory: Path) -> StoredGenre:
        """Read what `save` wrote."""
        return IndexedSounds(GenreNeighbors.load(directory, self._ear, self.intake))


def _answer(heard: AudioAnswer) -> GenreAnswer:
    return GenreAnswer(
        status=GenreStatus(heard.status.value),
        genres=heard.genres,
        moods=heard.moods,
        instruments=heard.instruments,
        neighbours=tuple((n.track_id, n.cosine, n.genre) for n in heard.neighbours),
        same_recording=heard.same_recording,
        note=heard.note,
    )
