"""The music clips that ship with Encore: what each is, and under which licence it may be used.

Titles, artists and licences are repeated for readers in `clips/ATTRIBUTION.md`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidDataError
from domains.music.audio.heard_tracks import AudioTrack

CLIPS_DIRECTORY = Path(__file__).with_name("clips")
ATTRIBUTION_FILE = CLIPS_DIRECTORY / "ATTRIBUTION.md"


@dataclass(frozen=True)
class Clip:
    """One shipped clip: at most 10 s, mono, 22.05 kHz, OGG Vorbis."""

    track_id: str
    """Identifier of the clip as a track of the demo catalogue."""
    path: Path
    """The audio file."""
    recording: str
    """Which recording it was cut from: clips that share it must not be on both sides of a test."""
    title: str
    artist: str
    genre: str | None
    """None where nobody said: such a clip is a neighbour but never a training example."""
    licence: str
    origin: str
    """Repository or package, with its version, that the recording was taken from."""
    source_url: str
    """Page of the original."""
    start_s: float
    """Second of the original at which the clip begins."""
    label_source: str
    """Who gave the genre."""

    def as_track(self) -> AudioTrack:
        """Return what `HeardTracks.listen_to` needs of this clip."""
        genres = frozenset([self.genre] if self.genre else [])
        return AudioTrack(self.track_id, self.path, genres, self.recording)


def shipped_clips(directory: Path = CLIPS_DIRECTORY) -> tuple[Clip, ...]:
    """Read the manifest of a directory of clips.

    Args:
        directory: holds `manifest.csv` and the files that it names.

    Returns:
        The clips in order of track id.

    Raises:
        InvalidDataError: if the manifest lacks a column, names a file that is not there, or names
            a track twice.
    """
    manifest = directory / "manifest.csv"
    with manifest.open(encoding="utf-8", newline="") as lines:
        clips = [
            _clip(row, directory, f"{manifest.name}:{number}")
            for number, row in enumerate(csv.DictReader(lines), start=2)
        ]
    if len({clip.track_id for clip in clips}) < len(clips):
        raise InvalidDataError(
            manifest.name, "a track_id occurs twice", "Give every clip an id of its own."
        )
    return tuple(sorted(clips, key=lambda clip: clip.track_id))


def _clip(row: dict[str, str], directory: Path, where: str) -> Clip:
    try:
        clip = Clip(
            track_id=row["track_id"],
            path=directory / row["file"],
            recording=row["recording"],
            title=row["title"],
            artist=row["artist"],
            genre=row["genre"] or None,
            licence=row["licence"],
            origin=row["origin"],
            source_url=row["source_url"],
            start_s=float(row["start_s"]),
            label_source=row["label_source"],
        )
    except KeyError as error:
        raise InvalidDataError(
            where, f"column {error} is missing", "Restore the column or reinstall Encore."
        ) from error
    if not clip.path.is_file():
        raise InvalidDataError(
            where, f"{clip.path.name} is not there", "Restore the file or reinstall Encore."
        )
    return clip
