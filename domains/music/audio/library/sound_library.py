"""SoundLibrary: what was heard of every track of a catalogue, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import InvalidDataError
from domains.music.audio.library.parts import part_paths, read_part, schema

_ATTEMPTS = 10


@dataclass(frozen=True, eq=False)
class SoundLibrary:
    """All described tracks; immutable, the same whatever the order in which they were heard."""

    track_ids: tuple[str, ...]
    """Strictly ascending."""
    files: tuple[str, ...]
    """`(n_tracks,)`, paths below the audio directory."""
    seconds: NDArray[np.float64]
    """`(n_tracks,)`, of each track's beginning that were heard."""
    features: NDArray[np.float32]
    """`(n_tracks, len(FEATURE_NAMES))`."""
    tags: NDArray[np.float32]
    """`(n_tracks, len(MSD_TAGS))`, probabilities."""
    units: NDArray[np.float32]
    """`(n_tracks, 200)`, the tagger's layer before the tags."""
    previews: NDArray[np.int32]
    """`(n_tracks, 2)`, start and length in ms; length 0 where no preview was chosen."""
    errors: tuple[tuple[str, str], ...]
    """File and reason of those that cannot be described, in order of file."""

    def __len__(self) -> int:
        return len(self.track_ids)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each track id."""
        return {track_id: row for row, track_id in enumerate(self.track_ids)}

    @classmethod
    def open(cls, directory: Path) -> SoundLibrary:
        """Read a library, also while it is being written to: then what is written so far.

        Raises:
            InvalidDataError: there is no library in the directory.
            BundleError: a part is damaged or was made by other code.
        """
        table = _read(directory)
        ids, files = table["track_id"].to_pylist(), table["file"].to_pylist()
        errors = table["error"].to_pylist()
        latest = _latest(files, ids)
        rows = sorted((row for row in latest if errors[row] is None), key=ids.__getitem__)
        failed = sorted((files[row], errors[row]) for row in latest if errors[row] is not None)
        return cls(
            track_ids=tuple(ids[row] for row in rows),
            files=tuple(files[row] for row in rows),
            seconds=table["seconds"].to_numpy()[rows],
            features=_matrix(table["features"])[rows],
            tags=_matrix(table["tags"])[rows],
            units=_matrix(table["units"])[rows],
            previews=np.column_stack(
                [
                    pc.fill_null(table[name], 0).to_numpy()[rows]
                    for name in ("preview_start_ms", "preview_length_ms")
                ]
            ),
            errors=tuple(failed),
        )


def _read(directory: Path) -> pa.Table:
    """All rows of all parts, the oldest first."""
    for _ in range(_ATTEMPTS):
        paths = part_paths(directory) if directory.is_dir() else []
        if not paths:
            break
        try:
            tables = [read_part(path) for path in paths]
        except FileNotFoundError:
            continue  # a writer has just replaced it by another part
        return pa.concat_tables([schema().empty_table(), *tables])
    raise InvalidDataError(
        str(directory),
        "there is no sound library in it",
        "Make one with `encore genre index --audio DIR --out LIBRARY`.",
    )


def _latest(files: Sequence[str], ids: Sequence[str]) -> Iterable[int]:
    """Rows that no later row replaces: those of the same file, or of another file of its track."""
    row_of_file = {file: row for row, file in enumerate(files)}
    row_of_track = {ids[row]: row for row in sorted(row_of_file.values())}
    return row_of_track.values()


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """`(n, size)`; rows without a value hold anything."""
    size = column.type.list_size
    chunks = [
        chunk.values.to_numpy(zero_copy_only=False).reshape(-1, size)[
            chunk.offset : chunk.offset + len(chunk)
        ]
        for chunk in column.chunks
    ]
    return np.concatenate(chunks)
