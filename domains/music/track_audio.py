"""What a sound library says of each track: its preview window and the tags that it carries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.recommend.stories import spelling
from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.library import SoundLibrary
from domains.music.audio.preview import Preview
from domains.music.audio.tagger import MSD_TAGS, TagKind, kind_of
from domains.music.genre import MusicGenre

_MOODS = tuple(tag for tag in MSD_TAGS if kind_of(tag) is TagKind.MOOD)


@dataclass(frozen=True)
class TrackAudio:
    """What was heard of one track."""

    track_id: str
    preview: Preview
    """Of length 0 where none was chosen."""
    moods: tuple[str, ...]
    genres: tuple[str, ...]
    """Both as `GenreNeighbors.tagged` tells them: what stories are matched with."""


def tracks_of_library(sounds: Path) -> list[TrackAudio]:
    """All tracks of a sound library, in order of id.

    Raises:
        InvalidDataError: there is no library in the directory.
        BundleError: a part of it is damaged.
        NotEnoughDataError: it holds no track.
    """
    library = SoundLibrary.open(sounds)
    neighbors = MusicGenre().build(sounds=sounds, seed=0, progress=None).neighbors
    moods = _carried(neighbors, _MOODS)
    genres = _carried(neighbors, neighbors.source.genres)
    return [
        TrackAudio(
            track_id,
            Preview(int(start_ms), int(length_ms)),
            tuple(moods[track_id]),
            tuple(genres[track_id]),
        )
        for track_id, (start_ms, length_ms) in zip(
            library.track_ids, library.previews.tolist(), strict=True
        )
    ]


def _carried(neighbors: GenreNeighbors, tags: Iterable[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for tag in tags:
        for track_id in neighbors.tagged(spelling(tag)):
            found[track_id].append(tag)
    return found
