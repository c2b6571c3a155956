"""The genre capability of music, as the core's contract has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.domain import StoredGenre
from core.requests import GenreAnswer, GenreStatus
from domains.music.audio.answer import GenreAnswer as AudioAnswer
from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import shipped_clips


@dataclass(frozen=True)
class HeardTracks:
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

    def save(self, directory: Path) -> None:
        """Write the model and the index."""
        self.neighbors.save(directory)


class MusicGenre:
    """Builds the capability from the clips that ship with Encore."""

    def build(self, *, seed: int, progress: Callable[[float], None] | None) -> StoredGenre:
        """Listen to the shipped clips and fit."""
        tracks = [clip.as_track() for clip in shipped_clips()]
        return HeardTracks(GenreNeighbors.build(tracks, seed, progress))

    def load(self, directory: Path) -> StoredGenre:
        """Read what `save` wrote."""
        return HeardTracks(GenreNeighbors.load(directory))


def _answer(heard: AudioAnswer) -> GenreAnswer:
    return GenreAnswer(
        status=GenreStatus(heard.status.value),
        genres=heard.genres,
        neighbours=tuple((n.track_id, n.cosine, n.genre) for n in heard.neighbours),
        note=heard.demonstration_note,
    )
