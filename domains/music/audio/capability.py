"""GenreNeighbors: what genre a sound has and which tracks sound most like it.

This is what a bundle stores and a server calls; it holds the genre model and the index of all
tracks whose audio is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from core.errors import (
    BundleError,
    FieldViolation,
    InvalidDataError,
    InvalidRequestError,
    NotEnoughDataError,
)
from domains.music.audio.answer import GenreAnswer, GenreStatus, Neighbour
from domains.music.audio.decode import decode_bytes, decode_file
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.genre import GenreModel, fit_genre_model
from domains.music.audio.neighbours import Query, TrackIndex
from domains.music.audio.sound import N_UNITS, Ear

MAX_K = 100
"""Neighbours that one request may ask for."""

_TRACKS_FILE = "tracks.safetensors"


@dataclass(frozen=True)
class AudioTrack:
    """A track whose audio is to be indexed."""

    track_id: str
    path: Path
    """A wav, flac, ogg or mp3 file; its first minute is described."""
    genre: str | None = None
    """Its known genre, which the model learns from; None or empty if nobody said."""
    recording: str | None = None
    """What it was cut from, shared by excerpts of one recording; by default the track itself."""


@dataclass(frozen=True, eq=False)
class GenreNeighbors:
    """A genre model and an index of tracks; immutable and safe to call from several threads."""

    model: GenreModel
    index: TrackIndex
    probabilities: NDArray[np.float32]
    """`(n_tracks, n_genres)`, the model's for every indexed track."""
    labels: tuple[str, ...]
    """`(n_tracks,)`, the known genre of each, empty where nobody said."""

    @classmethod
    def build(
        cls,
        tracks: Iterable[AudioTrack],
        seed: int,
        progress: Callable[[float], None] | None = None,
    ) -> GenreNeighbors:
        """Describe every track, fit the genre model on the labelled ones and index all.

        Args:
            tracks: distinct ids; at least two genres among them.
            seed: of the genre model.
            progress: called with the share of tracks described so far, in (0, 1].

        Returns:
            The capability, ready to be called or saved.

        Raises:
            InvalidDataError: if a file is not usable audio or an id occurs twice.
            NotEnoughDataError: if fewer than two genres are labelled.
        """
        ordered = sorted(tracks, key=lambda track: track.track_id)
        for track, following in pairwise(ordered):
            if track.track_id == following.track_id:
                raise InvalidDataError(
                    track.track_id, "the track id occurs twice", "Give each track one file."
                )
        labels = tuple(track.genre or "" for track in ordered)
        labelled = [row for row, label in enumerate(labels) if label]
        n_genres = len(set(labels) - {""})
        if n_genres < 2:  # said before the long part, not after it
            raise NotEnoughDataError(
                f"a genre model needs tracks of at least two genres, got {n_genres}: label more"
            )
        ear = Ear()
        features = np.empty((len(ordered), len(FEATURE_NAMES)))
        units = np.empty((len(ordered), N_UNITS), np.float32)
        for row, track in enumerate(ordered):
            sound = ear.hear(decode_file(track.path))
            features[row], units[row] = sound.features, sound.units
            if progress is not None:
                progress((row + 1) / len(ordered))
        model = fit_genre_model(
            features[labelled],
            [labels[row] for row in labelled],
            seed,
            [ordered[row].recording or ordered[row].track_id for row in labelled],
        )
        index = TrackIndex.build([track.track_id for track in ordered], features, units)
        return cls(model, index, model.predict_proba(features).astype(np.float32), labels)

    @cached_property
    def _ear(self) -> Ear:
        return Ear()

    @cached_property
    def genre_of(self) -> NDArray[np.str_]:
        """`(n_tracks,)`, the label of each track, or where there is none its likeliest genre."""
        likeliest = np.array(self.model.genres)[self.probabilities.argmax(axis=1)]
        labels = np.array(self.labels, dtype=np.str_)
        return np.where(labels == "", likeliest, labels)

    def by_track(
        self,
        track_id: str,
        k: int,
        same_genre: bool = False,
        pool: frozenset[str] | None = None,
        catalogue: Container[str] | None = None,
    ) -> GenreAnswer:
        """Answer for a track of the catalogue; the track itself is not among its neighbours.

        Args:
            track_id: the track asked about.
            k: neighbours wanted, 1 to `MAX_K`.
            same_genre: only neighbours whose genre, known or predicted, equals the track's.
            pool: only neighbours among these ids; all by default.
            catalogue: ids of all tracks that exist, to tell unknown tracks from those without
                audio; by default every track that is not indexed counts as one without audio.

        Returns:
            The answer; a track that cannot be answered for gets a status that says why.

        Raises:
            InvalidRequestError: field `k` if it is out of range.
        """
        _check_k(k)
        row = self.index.rows.get(track_id)
        if row is None:
            unknown = catalogue is not None and track_id not in catalogue
            status = GenreStatus.UNKNOWN_TRACK if unknown else GenreStatus.TRACK_WITHOUT_AUDIO
            return GenreAnswer(status, self.model.report.note)
        allowed = self._allowed(pool, str(self.genre_of[row]) if same_genre else None)
        allowed[row] = False
        return GenreAnswer(
            GenreStatus.OK,
            self.model.report.note,
            self._distribution(self.probabilities[row]),
            str(self.genre_of[row]),
            bool(self.labels[row]),
            self._nearest(self.index.track(row), k, allowed, other_recordings=True),
        )

    def by_audio(
        self,
        audio: bytes,
        k: int,
        same_genre: bool = False,
        pool: frozenset[str] | None = None,
    ) -> GenreAnswer:
        """Answer for a sound sent along; nothing of it is kept.

        Args:
            audio: one whole wav, flac, ogg or mp3 file; its first minute is listened to.
            k: neighbours wanted, 1 to `MAX_K`.
            same_genre: only neighbours whose genre, known or predicted, is the sound's likeliest.
            pool: only neighbours among these ids; all by default.

        Returns:
            The answer, always with status OK.

        Raises:
            InvalidRequestError: field `k` if it is out of range, field `audio` if it is not
                usable audio.
        """
        _check_k(k)
        sound = self._ear.hear(decode_bytes(audio))
        probabilities = self.model.predict_proba(sound.features[np.newaxis])[0].astype(np.float32)
        genre = self.model.genres[int(probabilities.argmax())]
        allowed = self._allowed(pool, genre if same_genre else None)
        return GenreAnswer(
            GenreStatus.OK,
            self.model.report.note,
            self._distribution(probabilities),
            genre,
            False,
            self._nearest(
                self.index.sound(sound.features, sound.units), k, allowed, other_recordings=False
            ),
        )

    def save(self, directory: Path) -> None:
        """Write the model, the index and `tracks.safetensors` into an existing directory."""
        self.model.save(directory)
        self.index.save(directory)
        # safetensors writes the buffer as it lies: a column-major array would come back mixed.
        probabilities = np.ascontiguousarray(self.probabilities)
        save_file(
            {"probabilities": probabilities},
            directory / _TRACKS_FILE,
            {"labels": json.dumps(self.labels)},
        )

    @classmethod
    def load(cls, directory: Path) -> GenreNeighbors:
        """Read what `save` wrote.

        Raises:
            BundleError: if a file is missing or damaged, or the files do not belong together.
        """
        model, index = GenreModel.load(directory), TrackIndex.load(directory)
        try:
            with safe_open(directory / _TRACKS_FILE, framework="numpy") as stored:
                labels = tuple(json.loads(stored.metadata()["labels"]))
                probabilities = stored.get_tensor("probabilities")
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise BundleError(
                f"the genres of tracks in {directory} cannot be read ({error}): build them again"
            ) from error
        n_tracks = len(index.track_ids)
        if not (probabilities.shape == (n_tracks, len(model.genres)) and len(labels) == n_tracks):
            raise BundleError(
                f"the track index in {directory} does not fit the genre model beside it: "
                "build both again"
            )
        return cls(model, index, probabilities, labels)

    def _allowed(self, pool: frozenset[str] | None, genre: str | None) -> NDArray[np.bool_]:
        allowed = (
            np.ones(len(self.labels), dtype=np.bool_) if pool is None else self.index.mask_of(pool)
        )
        return allowed if genre is None else allowed & (self.genre_of == genre)

    def _distribution(self, probabilities: NDArray[np.float32]) -> tuple[tuple[str, float], ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple((self.model.genres[i], float(probabilities[i])) for i in order)

    def _nearest(
        self, query: Query, k: int, allowed: NDArray[np.bool_], *, other_recordings: bool
    ) -> tuple[Neighbour, ...]:
        rows, cosines = self.index.nearest(query, k, allowed, other_recordings=other_recordings)
        return tuple(
            Neighbour(
                self.index.track_ids[row],
                float(cosine),
                str(self.genre_of[row]),
                bool(self.labels[row]),
            )
            for row, cosine in zip(rows, cosines, strict=True)
        )


def _check_k(k: int) -> None:
    if not 1 <= k <= MAX_K:
        raise InvalidRequestError(
            [FieldViolation("k", f"must be between 1 and {MAX_K}, got {k}: ask for fewer or more")]
        )
