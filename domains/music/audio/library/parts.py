"""Parts: the Parquet files of a sound library, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BundleError, InvalidDataError
from domains.music.audio.decode import DEFAULT_LIMITS, SAMPLE_RATE
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.library.describe import Description
from domains.music.audio.library.files import AudioFile
from domains.music.audio.sound import N_UNITS, N_WINDOWS, Ear

FORMAT = 1
"""Of the files; a library of another format is refused."""

_NAME = re.compile(r"part-(\d{6,})-([0-9a-f]{16})\.parquet")
"""Number and digest of the content: Parquet's own checksums leave out its headers."""
_TEMPORARY = ".part.tmp"
_DESCRIPTION = b"encore.sound_library"
_SIZES = {"features": len(FEATURE_NAMES), "tags": len(Ear.tag_names), "units": N_UNITS}


@dataclass(frozen=True, eq=False)
class DescribedTrack:
    """A row of the library: what was heard of a file, or why nothing was."""

    audio: AudioFile
    answer: Description | str
    """A text says why the file cannot be described."""


def fingerprint() -> dict[str, Any]:
    """What the numbers of a library depend on: libraries that agree in it can be read together."""
    return {
        "format": FORMAT,
        "features": f"{len(FEATURE_NAMES)} {_names(FEATURE_NAMES)}",
        "tagger": f"msd_musicnn {_names(Ear.tag_names)}",
        "windows": N_WINDOWS,
        "sample_rate": SAMPLE_RATE,
        "most_seconds": DEFAULT_LIMITS.max_seconds,
    }


def schema() -> pa.Schema:
    """The columns of a part."""
    numbers = [pa.field(name, pa.list_(pa.float32(), size)) for name, size in _SIZES.items()]
    return pa.schema(
        [
            pa.field("track_id", pa.string(), nullable=False),
            pa.field("file", pa.string(), nullable=False),
            pa.field("size_bytes", pa.int64(), nullable=False),
            pa.field("modified_ns", pa.int64(), nullable=False),
            pa.field("seconds", pa.float64()),
            *numbers,
            pa.field("preview_start_ms", pa.int32()),
            pa.field("preview_length_ms", pa.int32()),
            pa.field("error", pa.string()),
        ],
        metadata={_DESCRIPTION: json.dumps(fingerprint()).encode()},
    )


def table_of(tracks: Sequence[DescribedTrack]) -> pa.Table:
    """Rows as a table."""
    rows = []
    for track in tracks:
        row: dict[str, Any] = dict(vars(track.audio))
        if isinstance(track.answer, Description):
            sound = track.answer.sound
            row |= {name: np.asarray(getattr(sound, name), np.float32) for name in _SIZES}
            row["seconds"] = track.answer.seconds
            preview = sound.preview
            row["preview_start_ms"] = preview.start_ms
            row["preview_length_ms"] = preview.length_ms
        else:
            row["error"] = track.answer
        rows.append(row)
    return pa.Table.from_pylist(rows, schema())


def part_paths(directory: Path) -> list[Path]:
    """The parts of a directory, the oldest first."""
    numbered = [(match, path) for path in directory.iterdir() if (match := _match(path))]
    return [path for _, path in sorted((int(match[1]), path) for match, path in numbered)]


def write_part(directory: Path, table: pa.Table) -> Path:
    """Add a part under the next number, on disk when this returns."""
    existing = part_paths(directory)
    last = _match(existing[-1]) if existing else None
    number = 1 + int(last[1] if last else 0)
    temporary = directory / _TEMPORARY
    try:
        pq.write_table(table, temporary, compression="zstd")
        target = directory / f"part-{number:06d}-{_digest(temporary.read_bytes())}.parquet"
        _sync(temporary)
        temporary.rename(target)
        _sync(directory)
    except OSError as error:
        raise InvalidDataError(
            str(directory),
            f"cannot be written ({error.strerror or error})",
            "Make room and index again: what was written before is kept.",
        ) from error
    return target


def remove_leftovers(directory: Path) -> None:
    """Remove the part that a killed writer did not finish."""
    (directory / _TEMPORARY).unlink(missing_ok=True)


def read_part(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a part, all of it or some columns.

    Raises:
        BundleError: it is damaged, or was made by other code.
        FileNotFoundError: a writer replaced it meanwhile.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}): check its permissions and its disk"
        ) from error
    match = _match(path)
    if match is None or _digest(content) != match[2]:
        raise BundleError(
            f"{path} is damaged: delete it and index again, which hears its tracks once more"
        )
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        made_by = json.loads((file.schema_arrow.metadata or {}).get(_DESCRIPTION, b"{}"))
        expected = fingerprint()
        if made_by == expected and file.schema_arrow.equals(schema()):
            return file.read(columns=None if columns is None else list(columns))
    differ = [name for name in expected if made_by.get(name) != expected[name]] or ["columns"]
    raise BundleError(
        f"{path} was described by other code (it differs in {', '.join(differ)}): "
        "index the audio into a new directory"
    )


def _match(path: Path) -> re.Match[str] | None:
    return _NAME.fullmatch(path.name)


def _names(names: Sequence[str]) -> str:
    return _digest("\n".join(names).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
