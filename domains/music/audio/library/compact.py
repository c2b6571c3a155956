"""Makes few large parts of many small ones, and leaves out what no longer counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from domains.music.audio.library.parts import part_paths, read_part, write_part

FULL_PART_TRACKS = 4_096
"""Parts of so many tracks (7 MB) are left alone."""


@dataclass(frozen=True)
class _Part:
    path: Path
    n_rows: int
    rows: list[int]
    """Those that count."""
    stale: bool
    """It holds rows that do not count, or a track under another id than the wanted."""

    @property
    def small(self) -> bool:
        return self.n_rows < FULL_PART_TRACKS


def compact(library: Path, wanted: Mapping[str, str]) -> None:
    """Rewrite the parts that need it.

    A part is removed after the one that replaces it is on disk. Killed in between, the library
    holds rows twice, of which readers take the later, and the next call tidies up.

    Args:
        library: directory of the sound library, locked.
        wanted: file -> track id of all tracks that shall stay.
    """
    parts = _parts(library, wanted)
    small = [part for part in parts if part.small]
    # One part that is not full is the library's growing end, and nothing to tidy.
    due = [part for part in parts if part.stale or (part.small and len(small) > 1)]
    merged: list[_Part] = []
    for part in due:
        merged.append(part)
        if sum(len(p.rows) for p in merged) >= FULL_PART_TRACKS:
            _merge(library, merged, wanted)
            merged = []
    _merge(library, merged, wanted)


def _parts(library: Path, wanted: Mapping[str, str]) -> list[_Part]:
    parts: list[_Part] = []
    seen: set[str] = set()
    for path in reversed(part_paths(library)):  # the latest row of a file is the one that counts
        columns = read_part(path, ["file", "track_id"]).to_pydict()
        files, ids = columns["file"], columns["track_id"]
        rows = [row for row, file in enumerate(files) if file in wanted and file not in seen]
        renamed = any(wanted[files[row]] != ids[row] for row in rows)
        parts.append(_Part(path, len(files), rows, renamed or len(rows) < len(files)))
        seen.update(files)
    return parts[::-1]


def _merge(library: Path, parts: list[_Part], wanted: Mapping[str, str]) -> None:
    tables = [read_part(part.path).take(part.rows) for part in parts if part.rows]
    if tables:
        table = pa.concat_tables(tables)
        ids = pa.array([wanted[file] for file in table["file"].to_pylist()], pa.string())
        column = table.schema.get_field_index("track_id")
        write_part(library, table.set_column(column, table.schema.field(column), ids))
    for part in parts:
        part.path.unlink()
