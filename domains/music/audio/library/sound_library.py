"""SoundLibrary: what was heard of every track of a catalogue, in memory."""

from __future__ import annotations

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
        described = table.filter(pc.is_null(table["error"])).sort_by("track_id")
        failed = table.filter(pc.is_valid(table["error"])).sort_by("file")
        return cls(
            track_ids=tuple(described["track_id"].to_pylist()),
            files=tuple(described["file"].to_pylist()),
            seconds=described["seconds"].to_numpy(),
            features=_matrix(described["features"]),
            tags=_matrix(described["tags"]),
            units=_matrix(described["units"]),
            previews=np.column_stack(
                [
                    pc.fill_null(described[name], 0).to_numpy()
                    for name in ("preview_start_ms", "preview_length_ms")
                ]
            ),
            errors=tuple(zip(failed["file"].to_pylist(), failed["error"].to_pylist(), strict=True)),
        )


def _read(directory: Path) -> pa.Table:
    """All rows that count, in no particular order."""
    for _ in range(_ATTEMPTS):
        paths = part_paths(directory) if directory.is_dir() else []
        if not paths:
            break
        try:
            tables = [read_part(path) for path in paths]
        except FileNotFoundError:
            continue  # a writer has just replaced it by another part
        table = pa.concat_tables([schema().empty_table(), *tables])
        return table.take(_latest(table))
    raise InvalidDataError(
        str(directory),
        "there is no sound library in it",
        "Make one with `encore genre index --audio DIR --out LIBRARY`.",
    )


def _latest(table: pa.Table) -> list[int]:
    """Rows that no later row replaces: those of the same file, or of another file of its track."""
    files, ids = table["file"].to_pylist(), table["track_id"].to_pylist()
    row_of_file = {file: row for row, file in enumerate(files)}
    row_of_track = {ids[row]: row for row in sorted(row_of_file.values())}
    return sorted(row_of_track.values())


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    joined = column.combine_chunks()
    values: NDArray[np.float32] = joined.flatten().to_numpy()
    return values.reshape(len(joined), column.type.list_size)
