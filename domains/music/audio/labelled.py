"""A sound library with labels: a genre model of one's own, kept beside what was heard."""

from __future__ import annotations

import csv
import json
import shutil
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from core.errors import BundleError, InvalidDataError
from domains.music.audio.columns import SOUND_COLUMNS
from domains.music.audio.genre import GenreModel, fit_genre_model
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.genre_source import sound_values
from domains.music.audio.heard_tracks import HeardTracks
from domains.music.audio.library import SoundLibrary

GENRE_DIRECTORY = "genre"
"""Of the model, inside the library."""
SEPARATOR = "|"
"""Between the genres of a track that has several."""

_LABELS_FILE = "labels.json"


@dataclass(frozen=True)
class TrackLabels:
    """Genres and artists by track id."""

    genres: Mapping[str, frozenset[str]]
    artists: Mapping[str, str]
    """Of those whose artist was named."""


def read_labels(path: Path, library: SoundLibrary) -> TrackLabels:
    """Read a CSV of `track_id` (or `file`), `genre` and, optionally, `artist`.

    Args:
        path: a header and a line a track; several genres are separated by `|`.
        library: what was heard, to find tracks by their file.

    Raises:
        InvalidDataError: with the line, if a column is missing, a cell is empty, a track is
            labelled twice or no track of the file is in the library.
    """
    genres: dict[str, frozenset[str]] = {}
    artists: dict[str, str] = {}
    n_unheard = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            fields = set(rows.fieldnames or ())
            key = "track_id" if "track_id" in fields else "file"
            names = library.track_ids if key == "track_id" else library.files
            tracks = dict(zip(map(_composed, names), library.track_ids, strict=True))
            for column in (key, "genre"):
                if column not in fields:
                    raise InvalidDataError(
                        f"{path.name}:1", f"column {column} is missing", "Name it in the header."
                    )
            for row in rows:
                where = f"{path.name}:{rows.line_num}"
                named = _composed((row[key] or "").strip())
                track = tracks.get(named if key == "track_id" else _posix(named))
                own = frozenset(g.strip() for g in (row["genre"] or "").split(SEPARATOR)) - {""}
                if not named or not own:
                    empty = key if not named else "genre"
                    raise InvalidDataError(where, f"{empty} is empty", "Fill it or drop the line.")
                if track is None:
                    n_unheard += 1
                    continue
                if track in genres:
                    raise InvalidDataError(
                        where, f"{named} is labelled twice", f"Separate genres by {SEPARATOR}."
                    )
                genres[track] = own
                if artist := (row.get("artist") or "").strip():
                    artists[track] = artist
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidDataError(
            path.name, f"cannot be read ({error})", "It must be a CSV in UTF-8."
        ) from error
    if not genres:
        raise InvalidDataError(
            path.name,
            f"labels {n_unheard} tracks, none of which is in the library",
            "Name tracks by their id, or by their file below the audio directory.",
        )
    return TrackLabels(genres, artists)


def fit_on_library(
    directory: Path,
    library: SoundLibrary,
    labels: TrackLabels,
    seed: int,
    n_threads: int,
    progress: Callable[[float], None] | None = None,
) -> GenreModel:
    """Fit a genre model on the labelled tracks and keep it in the library, the whole or nothing.

    Args:
        directory: of the library.
        library: what it holds.
        labels: of at least two genres.
        seed: of the model.
        n_threads: of its trees.
        progress: called with the share done.

    Raises:
        NotEnoughDataError: if there are fewer than two genres.
    """
    rows = np.array([library.rows[track] for track in sorted(labels.genres)])
    tracks = [library.track_ids[row] for row in rows]
    model = fit_genre_model(
        SOUND_COLUMNS,
        sound_values(library.features[rows], library.tags[rows]),
        GenreLabels.of(
            [labels.genres[track] for track in tracks],
            [labels.artists.get(track, track) for track in tracks],
        ),
        seed,
        n_threads,
        progress,
    )
    temporary = directory / f".{GENRE_DIRECTORY}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    model.save(temporary)
    stored = {
        "genres": {track: sorted(own) for track, own in sorted(labels.genres.items())},
        "artists": dict(sorted(labels.artists.items())),
    }
    (temporary / _LABELS_FILE).write_text(
        json.dumps(stored, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    final, replaced = directory / GENRE_DIRECTORY, directory / f".{GENRE_DIRECTORY}.old"
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    temporary.rename(final)
    shutil.rmtree(replaced, ignore_errors=True)
    return model


def labelled_tracks(directory: Path) -> HeardTracks:
    """Read the tracks of a library, with the labels that were given last.

    Raises:
        InvalidDataError: there is no library in the directory.
        BundleError: it is damaged or was made by other code.
        NotEnoughDataError: it holds no track.
    """
    tracks = HeardTracks.of_library(SoundLibrary.open(directory))
    path = directory / GENRE_DIRECTORY / _LABELS_FILE
    if not path.is_file():
        return tracks
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        genres = {track: frozenset(own) for track, own in stored["genres"].items()}
        return tracks.labelled(genres, stored["artists"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"the labels in {path.parent} cannot be read ({error}): fit the genre model again"
        ) from error


def _composed(name: str) -> str:
    """One spelling of letters with accents: file systems and spreadsheets have different ones."""
    return unicodedata.normalize("NFC", name)


def _posix(file: str) -> str:
    return str(PurePosixPath(file.replace("\\", "/")))
