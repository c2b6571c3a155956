"""GenreNeighbors: what genre a sound has and which tracks sound most like it.

This is what a bundle stores and a server calls; it holds the source of genres and the index of all
tracks whose audio is known.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from core.errors import BundleError, FieldViolation, InvalidRequestError
from core.recommend.stories import spelling
from domains.music.audio.answer import GenreAnswer, GenreStatus, Neighbour
from domains.music.audio.genre_source import GenreSource, load_genre_source
from domains.music.audio.heard_tracks import HeardTracks
from domains.music.audio.intake import AudioIntake
from domains.music.audio.neighbours import TrackIndex
from domains.music.audio.search import Query
from domains.music.audio.sound import Ear
from domains.music.audio.tagger import MSD_TAGS, TagKind, kind_of

MAX_K = 100
"""Neighbours that one request may ask for."""

_MOST = 0.1
"""Share of the tracks that carry a mood or an instrument."""
_POOLS = 16
"""Pools whose tracks are remembered."""
_GENRES = "probabilities"
_GENRES_FILE = "genres.safetensors"

_IS_MOOD, _IS_INSTRUMENT = (
    np.array([kind_of(tag) is kind for tag in MSD_TAGS])
    for kind in (TagKind.MOOD, TagKind.INSTRUMENT)
)


@dataclass(frozen=True, eq=False)
class GenreNeighbors:
    """A source of genres and an index of tracks; immutable, safe to call from several threads."""

    source: GenreSource
    index: TrackIndex
    tracks: HeardTracks
    """The tracks of the index, in the same order."""
    probabilities: NDArray[np.float32]
    """`(n_tracks, n_genres)`, of every indexed track."""
    ear: Ear
    intake: AudioIntake

    @classmethod
    def build(
        cls, source: GenreSource, tracks: HeardTracks, ear: Ear, intake: AudioIntake
    ) -> GenreNeighbors:
        """Index tracks that have been heard.

        Args:
            source: names their genres.
            tracks: at least one.
            ear: hears what is sent along.
            intake: decodes what is sent along.

        Returns:
            The capability, ready to be called or saved.
        """
        index = TrackIndex.build(tracks.track_ids, tracks.features, tracks.units)
        probabilities = source.probabilities(tracks.features, tracks.tags).astype(np.float32)
        return cls(source, index, tracks, probabilities, ear, intake)

    @cached_property
    def _labels(self) -> NDArray[np.bool_]:
        """`(n_tracks, n_genres)`, true where somebody said so."""
        columns = {genre: column for column, genre in enumerate(self.source.genres)}
        labels = np.zeros((len(self.tracks.track_ids), len(columns)), dtype=np.bool_)
        for row, genres in enumerate(self.tracks.labels):
            labels[row, [columns[genre] for genre in genres if genre in columns]] = True
        return labels

    @cached_property
    def _genre_of(self) -> NDArray[np.intp]:
        """`(n_tracks,)`, the likeliest label of each track, or where it has none the likeliest."""
        labelled = self._labels.any(axis=1, keepdims=True)
        likeliest: NDArray[np.intp] = np.where(
            labelled & ~self._labels, -1.0, self.probabilities
        ).argmax(axis=1)
        return likeliest

    @cached_property
    def _has_genre(self) -> NDArray[np.bool_]:
        """`(n_tracks, n_genres)`, the labels of each track, or where it has none what is likely."""
        likely = np.zeros_like(self._labels)
        likely[np.arange(len(likely)), self._genre_of] = True
        if self.source.several:
            likely |= self.probabilities > 0.5
        has = np.where(self._labels.any(axis=1, keepdims=True), self._labels, likely)
        return np.asfortranarray(has)  # a request looks through one column

    @cached_property
    def _mask_of(self) -> Callable[[frozenset[str]], NDArray[np.bool_]]:
        """`mask_of` of the index; pools are few, and the same sets each time."""
        return lru_cache(_POOLS)(self.index.mask_of)

    def by_track(
        self,
        track_id: str,
        k: int,
        same_genre: bool = False,
        pool: frozenset[str] | None = None,
        catalogue: Container[str] | None = None,
    ) -> GenreAnswer:
        """Answer for a track of the catalogue; no copy of it is among its neighbours.

        Args:
            track_id: the track asked about.
            k: neighbours wanted, 1 to `MAX_K`.
            same_genre: only neighbours that have the track's genre, by label or by ear.
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
            return GenreAnswer(status, self.source.note)
        return self._answer(
            self.index.track(row),
            self.probabilities[row],
            self.tracks.tags[row],
            int(self._genre_of[row]),
            k,
            same_genre,
            pool,
            row,
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
            same_genre: only neighbours that have the sound's likeliest genre.
            pool: only neighbours among these ids; all by default.

        Returns:
            The answer, always with status OK.

        Raises:
            InvalidRequestError: field `k` if it is out of range, field `audio` if it is not
                usable audio.
        """
        _check_k(k)
        sound = self.ear.hear(self.intake.decode(audio))
        probabilities = self.source.probabilities(
            sound.features[np.newaxis], sound.tags[np.newaxis]
        )[0].astype(np.float32)
        return self._answer(
            self.index.sound(sound.features, sound.units),
            probabilities,
            sound.tags,
            int(probabilities.argmax()),
            k,
            same_genre,
            pool,
            None,
        )

    def tagged(self, tag: str) -> tuple[str, ...]:
        """Ids of the tracks that carry a tag.

        A genre is carried by label, or where a track has none by what is likely. Whatever else the
        tagger knows is carried by the tenth of the tracks in which it hears it most: its
        probabilities of moods are small, and only their order tells.

        Args:
            tag: in `core.recommend.stories.spelling`; unknown ones are carried by nothing.
        """
        carries = np.zeros(len(self.tracks.track_ids), dtype=np.bool_)
        for column, genre in enumerate(self.source.genres):
            if spelling(genre) == tag:
                carries |= self._has_genre[:, column]
        if not carries.any():
            for column, name in enumerate(MSD_TAGS):
                if spelling(name) == tag:
                    heard = self.tracks.tags[:, column]
                    carries |= heard >= np.quantile(heard, 1 - _MOST)
        return tuple(self.tracks.track_ids[row] for row in np.flatnonzero(carries))

    def save(self, directory: Path) -> None:
        """Write the source of genres, the index and the tracks into an existing directory."""
        self.source.save(directory)
        self.index.save(directory)
        self.tracks.save(directory)
        save_file({_GENRES: np.ascontiguousarray(self.probabilities)}, directory / _GENRES_FILE)

    @classmethod
    def load(cls, directory: Path, ear: Ear, intake: AudioIntake) -> GenreNeighbors:
        """Read what `save` wrote.

        Raises:
            BundleError: if a file is missing or damaged, or the files do not belong together.
        """
        source, index = load_genre_source(directory), TrackIndex.load(directory)
        tracks = HeardTracks.load(directory, index.track_ids)
        try:
            probabilities = load_file(directory / _GENRES_FILE)[_GENRES]
        except (OSError, SafetensorError, KeyError) as error:
            raise BundleError(
                f"the genres of tracks in {directory} cannot be read ({error}): build them again"
            ) from error
        if probabilities.shape != (len(index.track_ids), len(source.genres)):
            raise BundleError(
                f"the track index in {directory} does not fit the genres beside it: build it again"
            )
        return cls(source, index, tracks, probabilities, ear, intake)

    def warm_up(self) -> None:
        """Start the decoders; compile, load and derive what the first call would wait for."""
        self.intake.warm_up()
        self.ear.warm_up()
        self.by_track(self.index.track_ids[0], 1, same_genre=True)

    def _answer(
        self,
        query: Query,
        probabilities: NDArray[np.float32],
        tags: NDArray[np.float32],
        genre: int,
        k: int,
        same_genre: bool,
        pool: frozenset[str] | None,
        own_row: int | None,
    ) -> GenreAnswer:
        allowed = None if pool is None else self._mask_of(pool)
        if same_genre:
            of_genre = self._has_genre[:, genre]
            allowed = of_genre if allowed is None else allowed & of_genre
        search = self.index.search(query)
        rows, cosines = search.nearest(k + 1, allowed)
        # A track that is average in all is at no angle to itself, and so no copy of itself.
        others = np.flatnonzero(rows != (-1 if own_row is None else own_row))[:k]
        copies = [row for row in search.copies(MAX_K) if row != own_row]
        return GenreAnswer(
            GenreStatus.OK,
            self.source.note,
            genres=_ranked(self.source.genres, probabilities),
            genre=self.source.genres[genre],
            labelled=own_row is not None and bool(self._labels[own_row, genre]),
            moods=_ranked(MSD_TAGS, tags, _IS_MOOD),
            instruments=_ranked(MSD_TAGS, tags, _IS_INSTRUMENT),
            neighbours=tuple(
                Neighbour(
                    self.index.track_ids[row],
                    float(cosine),
                    self.source.genres[self._genre_of[row]],
                    bool(self._labels[row].any()),
                )
                for row, cosine in zip(rows[others], cosines[others], strict=True)
            ),
            same_recording=tuple(self.index.track_ids[row] for row in copies),
        )


def _ranked(
    names: tuple[str, ...],
    probabilities: NDArray[np.float32],
    chosen: NDArray[np.bool_] | None = None,
) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-probabilities, kind="stable")
    return tuple((names[i], float(probabilities[i])) for i in order if chosen is None or chosen[i])


def _check_k(k: int) -> None:
    if not 1 <= k <= MAX_K:
        raise InvalidRequestError(
            [FieldViolation("k", f"must be between 1 and {MAX_K}, got {k}: ask for fewer or more")]
        )
