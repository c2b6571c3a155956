"""Which audio files a directory holds, and which track each of them is."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.errors import InvalidDataError

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
"""Of the files that count as audio, in lower case."""


@dataclass(frozen=True)
class AudioFile:
    """A file that is a track; equal values mean that its bytes need not be looked at again."""

    track_id: str
    file: str
    """Path below the audio directory, parts separated by `/`."""
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Scan:
    """What a directory was found to hold."""

    files: tuple[AudioFile, ...]
    """In order of path."""
    unlisted: int
    """Audio files left out because the list of ids does not name them."""
    missing: tuple[tuple[str, str], ...]
    """File and reason, of the listed or found files that cannot be looked at."""


def scan(directory: Path, ids: Mapping[str, str] | None = None) -> Scan:
    """Find the audio files below a directory; hidden files and directories do not count.

    Args:
        directory: of the operator's catalogue.
        ids: file -> track id as `read_ids` returns it; by default a track's id is its path without
            suffix, in Unicode's composed form.

    Returns:
        The files; nothing of them was read.

    Raises:
        InvalidDataError: the directory or one below cannot be read or holds no audio, or two files
            would be the same track.
    """
    found = {_relative(path, directory): path for path in _audio_paths(directory)}
    if not found:
        raise InvalidDataError(
            str(directory),
            f"there are no audio files ({', '.join(sorted(SUFFIXES))}) in it",
            "Give the directory of the catalogue, and check that its disk is there.",
        )
    wanted = _ids_by_path(found) if ids is None else dict(ids)
    files, missing = [], []
    for file in sorted(wanted):
        try:
            file.encode()
            status = found[file].stat()
        except KeyError:
            missing.append((file, "is listed and not there: restore it or leave it out."))
        except UnicodeEncodeError:
            shown = file.encode(errors="backslashreplace").decode()
            missing.append((shown, "its name is not UTF-8: rename it."))
        except OSError as error:
            missing.append((file, f"cannot be looked at ({error.strerror}): check the link."))
        else:
            files.append(AudioFile(wanted[file], file, status.st_size, status.st_mtime_ns))
    _refuse_shared_ids(files)
    return Scan(tuple(files), len(found.keys() - wanted.keys()), tuple(missing))


def read_ids(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns `file` and `track_id`.

    Raises:
        InvalidDataError: if it cannot be read, lacks a column or a value, or names a file twice.
    """
    ids: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), start=2):
                file, track_id = row.get("file"), row.get("track_id")
                if not file or not track_id:
                    raise InvalidDataError(
                        f"{path.name}:{number}",
                        "it lacks a file or a track_id",
                        "Give both columns on every line.",
                    )
                file = PurePosixPath(file).as_posix()
                if file in ids:
                    raise InvalidDataError(
                        f"{path.name}:{number}",
                        f"the file {file} is named a second time",
                        "Give each file one line.",
                    )
                ids[file] = track_id
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidDataError(
            str(path), f"cannot be read ({error})", "Give a CSV file in UTF-8."
        ) from error
    return ids


def _audio_paths(directory: Path) -> Iterable[Path]:
    if not directory.is_dir():
        raise InvalidDataError(str(directory), "there is no such directory", "Check the path.")
    # A directory that cannot be entered must stop us: its tracks would count as removed.
    for folder, folders, names in os.walk(directory, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                yield path


def _refuse(error: OSError) -> None:
    raise InvalidDataError(
        str(error.filename), f"cannot be read ({error.strerror})", "Check its permissions."
    ) from error


def _relative(path: Path, directory: Path) -> str:
    return path.relative_to(directory).as_posix()


def _ids_by_path(files: Iterable[str]) -> dict[str, str]:
    return {
        file: unicodedata.normalize("NFC", PurePosixPath(file).with_suffix("").as_posix())
        for file in files
    }


def _refuse_shared_ids(files: Iterable[AudioFile]) -> None:
    first: dict[str, str] = {}
    for audio in files:
        if audio.track_id in first:
            raise InvalidDataError(
                audio.file,
                f"it is track {audio.track_id!r}, and so is {first[audio.track_id]}",
                "Remove one of the two, or give both an id in a CSV file of file,track_id.",
            )
        first[audio.track_id] = audio.file
