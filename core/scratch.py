"""Where the features of examples are collected: in memory, or in a nameless file when too many."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import EncoreError
from core.mapped import gather
from core.state.columns import Columns, FeatureBatch
from core.state.snapshot_reader import FeatureSink

IN_MEMORY_BYTES = 2 << 30
"""Features up to this size stay in memory."""
_COPIED_ROWS = 8192


class ScratchError(EncoreError):
    """The directory for large tables cannot hold one."""


@dataclass(frozen=True)
class Scratch:
    """A directory for features that are too many for memory.

    Nothing is ever seen there: the files have no names, and the system takes their room back when
    the last array that reads them is gone or the process has ended, however it ended.
    """

    directory: Path
    """On a real disk: one that lives in memory saves none."""
    in_memory_bytes: int = IN_MEMORY_BYTES
    """Features up to this size stay in memory."""


class CollectedRows(FeatureSink, Protocol):
    """Collects features in log order, then gives them out as one batch."""

    def batch(self) -> FeatureBatch:
        """What was kept: its arrays are in memory, or read-only maps of files."""
        ...


def collect_rows(columns: Columns, n_rows: int, scratch: Scratch | None) -> CollectedRows:
    """Room for at most `n_rows` rows; in memory where they fit, or where there is no scratch.

    Raises:
        ScratchError: the directory is not there, or has too little room.
    """
    n_bytes = 4 * n_rows * (len(columns.numbers) + len(columns.codes))
    if scratch is None or n_bytes <= scratch.in_memory_bytes:
        return _RowsInMemory(columns, n_rows)
    _check_room(scratch.directory, n_bytes)
    return _RowsOnDisk(columns, scratch.directory)


def copy_rows(batch: FeatureBatch, rows: NDArray[np.intp], scratch: Scratch | None) -> FeatureBatch:
    """The chosen rows as a batch of their own, never more than a few at once between two places.

    Raises:
        ScratchError: see `collect_rows`.
    """
    collected = collect_rows(batch.columns, len(rows), scratch)
    for start in range(0, len(rows), _COPIED_ROWS):
        part = rows[start : start + _COPIED_ROWS]
        numbers, codes = collected.room(len(part))
        gather(batch.numbers, part, numbers)
        gather(batch.codes, part, codes)
        collected.keep(len(part))
    return collected.batch()


class _RowsInMemory:
    def __init__(self, columns: Columns, n_rows: int) -> None:
        self._columns = columns
        self._numbers = np.empty((n_rows, len(columns.numbers)), np.float32)
        self._codes = np.empty((n_rows, len(columns.codes)), np.int32)
        self._kept = 0

    def room(self, rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        free = slice(self._kept, self._kept + rows)
        return self._numbers[free], self._codes[free]

    def keep(self, rows: int) -> None:
        self._kept += rows

    def batch(self) -> FeatureBatch:
        kept = slice(0, self._kept)
        return FeatureBatch(self._columns, self._numbers[kept], self._codes[kept])


class _RowsOnDisk:
    """Written through buffers, not through a map: pages of a map would count as resident.

    Two of them, in turn: one is written while the other is filled.
    """

    def __init__(self, columns: Columns, directory: Path) -> None:
        self._directory = directory
        self._files = [_nameless_file(directory, of=self) for _ in range(2)]
        empty = np.empty((0, len(columns.numbers)), np.float32)
        self._columns = columns
        self._free = empty, np.empty((0, len(columns.codes)), np.int32)
        self._filled = self._free
        self._writer = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None
        self._kept = 0

    def room(self, rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        numbers, codes = self._free
        if rows > len(numbers):
            numbers = np.empty((rows, numbers.shape[1]), np.float32)
            codes = np.empty((rows, codes.shape[1]), np.int32)
            self._free = numbers, codes
        return numbers[:rows], codes[:rows]

    def keep(self, rows: int) -> None:
        self._wait()
        self._free, self._filled = self._filled, self._free
        self._writing = self._writer.submit(self._write, rows)
        self._kept += rows

    def batch(self) -> FeatureBatch:
        self._wait()
        self._writer.shutdown()
        numbers, codes = (
            _mapped(file, array.dtype, (self._kept, array.shape[1]))
            for file, array in zip(self._files, self._free, strict=True)
        )
        return FeatureBatch(self._columns, numbers, codes)

    def _write(self, rows: int) -> None:
        for file, array in zip(self._files, self._filled, strict=True):
            _write(file, array[:rows])

    def _wait(self) -> None:
        """Until all that was kept is written, or could not be."""
        if self._writing is None:
            return
        try:
            self._writing.result()
        except OSError as error:
            raise _unusable(self._directory, error) from error


def _write(file: IO[bytes], rows: NDArray[Any]) -> None:
    left = rows.reshape(-1).view(np.uint8).data
    while left:
        left = left[file.write(left) :]


def _mapped(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, int]) -> NDArray[Any]:
    if not shape[0] * shape[1]:  # nothing to map
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, mode="r", shape=shape)


def _nameless_file(directory: Path, *, of: object) -> IO[bytes]:
    """A file that is closed when its owner is gone; a map keeps it open for itself."""
    try:
        # Unbuffered, so that a full disk is told by the write that found it.
        file = cast("IO[bytes]", tempfile.TemporaryFile(buffering=0, dir=directory))  # noqa: SIM115
    except OSError as error:
        raise _unusable(directory, error) from error
    weakref.finalize(of, file.close)
    return file


def _check_room(directory: Path, n_bytes: int) -> None:
    try:
        free = shutil.disk_usage(directory).free
    except OSError as error:
        raise _unusable(directory, error) from error
    if free < n_bytes:
        raise ScratchError(
            f"the features of this log take {n_bytes / 1e9:.1f} GB on disk, but {directory} has "
            f"{free / 1e9:.1f} GB free: make room there, or name another directory with --scratch"
        )


def _unusable(directory: Path, error: OSError) -> ScratchError:
    return ScratchError(
        f"features cannot be kept in {directory} ({error}): make room there, or name another "
        "directory with --scratch"
    )
