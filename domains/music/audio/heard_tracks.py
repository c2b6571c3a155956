"""HeardTracks: what was heard of each track of an index, and what it is labelled with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from core.errors import BundleError, InvalidDataError, NotEnoughDataError
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.intake import AudioIntake
from domains.music.audio.library import SoundLibrary
from domains.music.audio.sound import N_UNITS, Ear
from domains.music.audio.tagger import MSD_TAGS

_FILE = "tracks.safetensors"
_TOLD = "labels and artists"


@dataclass(frozen=True)
class AudioTrack:
    """A track whose audio is to be heard."""

    track_id: str
    path: Path
    """A wav, flac, ogg or mp3 file; its first minute is described."""
    genres: frozenset[str] = frozenset()
    """Its known genres; empty if nobody said."""
    artist: str | None = None
    """Whom it is by, or what recording it was cut from; by default the track itself."""


@dataclass(frozen=True, eq=False)
class HeardTracks:
    """Tracks that have been heard; immutable."""

    track_ids: tuple[str, ...]
    """Strictly ascending."""
    features: NDArray[np.float32]
    """`(n_tracks, len(FEATURE_NAMES))`."""
    tags: NDArray[np.float32]
    """`(n_tracks, len(MSD_TAGS))`."""
    units: NDArray[np.float32]
    """`(n_tracks, N_UNITS)`."""
    labels: tuple[frozenset[str], ...]
    """`(n_tracks,)`, known genres; empty where nobody said."""
    artists: tuple[str, ...]
    """`(n_tracks,)`, whom each is by; its own id where nobody said."""

    @classmethod
    def listen_to(
        cls,
        tracks: Iterable[AudioTrack],
        ear: Ear,
        intake: AudioIntake,
        progress: Callable[[float], None] | None = None,
    ) -> HeardTracks:
        """Hear files now: for a few tracks; a `SoundLibrary` hears a catalogue.

        Args:
            tracks: distinct ids, at least one.
            ear: hears.
            intake: decodes.
            progress: called with the share of tracks heard so far, in (0, 1].

        Raises:
            InvalidDataError: if a file is not usable audio or an id occurs twice.
            NotEnoughDataError: if there is no track.
        """
        ordered = sorted(tracks, key=lambda track: track.track_id)
        _check_ids([track.track_id for track in ordered])
        sounds = []
        for track in ordered:
            sounds.append(ear.hear(intake.decode_file(track.path)))
            if progress is not None:
                progress(len(sounds) / len(ordered))
        return cls(
            tuple(track.track_id for track in ordered),
            np.array([sound.features for sound in sounds], dtype=np.float32),
            np.array([sound.tags for sound in sounds], dtype=np.float32),
            np.array([sound.units for sound in sounds], dtype=np.float32),
            tuple(track.genres for track in ordered),
            tuple(track.artist or track.track_id for track in ordered),
        )

    @classmethod
    def of_library(cls, library: SoundLibrary) -> HeardTracks:
        """All tracks of a library, without labels.

        Raises:
            NotEnoughDataError: if it holds none.
        """
        _check_ids(library.track_ids)
        nobody_said = (frozenset[str](),) * len(library)
        return cls(
            library.track_ids,
            library.features,
            library.tags,
            library.units,
            nobody_said,
            library.track_ids,
        )

    def labelled(
        self, labels: Mapping[str, frozenset[str]], artists: Mapping[str, str]
    ) -> HeardTracks:
        """The same tracks with labels and artists by track id."""
        return replace(
            self,
            labels=tuple(labels.get(track_id, frozenset()) for track_id in self.track_ids),
            artists=tuple(artists.get(track_id) or track_id for track_id in self.track_ids),
        )

    def save(self, directory: Path) -> None:
        """Write `tracks.safetensors` into an existing directory."""
        told = {"labels": [sorted(genres) for genres in self.labels], "artists": self.artists}
        # One entry: safetensors writes several in another order each time.
        strings = {_TOLD: json.dumps(told, ensure_ascii=False)}
        tensors = {"features": self.features, "tags": self.tags, "units": self.units}
        save_file(
            # safetensors writes the buffer as it lies: a column-major array would come back mixed.
            {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
            directory / _FILE,
            strings,
        )

    @classmethod
    def load(cls, directory: Path, track_ids: tuple[str, ...]) -> HeardTracks:
        """Read what `save` wrote of these tracks.

        Raises:
            BundleError: if the file is missing or damaged, or tells of other tracks.
        """
        try:
            with safe_open(directory / _FILE, framework="numpy") as stored:
                told = json.loads(stored.metadata()[_TOLD])
                labels = tuple(frozenset(genres) for genres in told["labels"])
                artists = tuple(told["artists"])
                features, tags, units = (
                    stored.get_tensor(name) for name in ("features", "tags", "units")
                )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise BundleError(
                f"the tracks in {directory} cannot be read ({error}): build them again"
            ) from error
        n_tracks = len(track_ids)
        if not (
            features.shape == (n_tracks, len(FEATURE_NAMES))
            and tags.shape == (n_tracks, len(MSD_TAGS))
            and units.shape == (n_tracks, N_UNITS)
            and len(labels) == len(artists) == n_tracks
        ):
            raise BundleError(
                f"the tracks in {directory} do not fit the index beside them: build both again"
            )
        return cls(track_ids, features, tags, units, labels, artists)


def _check_ids(track_ids: Iterable[str]) -> None:
    ids = list(track_ids)
    if not ids:
        raise NotEnoughDataError("there is no track to index: add audio that can be described")
    for track_id, following in pairwise(ids):
        if track_id == following:
            raise InvalidDataError(
                track_id, "the track id occurs twice", "Give each track one file."
            )
