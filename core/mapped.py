"""Rows that may lie in a mapped file, read a piece at a time; pages that were read are given back.

Pages of a mapped file count as resident memory for as long as the machine has room. Who reads a
table that is larger than memory says when a piece is done with: the kernel then drops it from this
process, and it costs one fault to read it again.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.state.columns import FeatureBatch

T = TypeVar("T", bound=np.generic)

_GRANULE = 1 << 20
"""Bytes: pages are dropped in multiples of this, for the kernel maps some around each one read."""
_GATHERED_ROWS = 8192
"""Rows picked at once: bounds the pages between two drops."""


def pieces(batch: FeatureBatch, size: int) -> Iterator[tuple[slice, FeatureBatch]]:
    """The batch as consecutive pieces of at most `size` rows, each with its place.

    A piece is a view: what is kept of it beyond its turn must be copied.
    """
    for start in range(0, len(batch), size):
        rows = slice(start, min(start + size, len(batch)))
        piece = batch.take(rows)
        yield rows, piece
        release(piece.numbers, piece.codes)


def stretches(array: NDArray[T], size: int) -> Iterator[NDArray[T]]:
    """An array as consecutive views of at most `size` rows."""
    for start in range(0, len(array), size):
        piece = array[start : start + size]
        yield piece
        release(piece)


def gather(array: NDArray[T], rows: NDArray[np.intp], into: NDArray[T] | None = None) -> NDArray[T]:
    """The chosen rows of `array` as a copy, in `into` where given; cheapest in rising order."""
    chosen = np.empty((len(rows), *array.shape[1:]), array.dtype) if into is None else into
    for start in range(0, len(rows), _GATHERED_ROWS):
        part = rows[start : start + _GATHERED_ROWS]
        # Rows are in range: with mode="raise" numpy would gather into a buffer of its own first.
        np.take(array, part, axis=0, out=chosen[start : start + len(part)], mode="clip")
        release(array[part.min() : part.max() + 1])
    return chosen


def is_mapped(array: NDArray[np.generic]) -> bool:
    """Whether the rows lie in a mapped file."""
    return _map_of(array) is not None


def release(*arrays: NDArray[np.generic]) -> None:
    """Drop the pages under these contiguous views from resident memory; only for mapped files."""
    for array in arrays:
        mapped = _map_of(array)
        if mapped is None or not array.size or not hasattr(mmap, "MADV_DONTNEED"):
            continue
        first = _address(array) - _address(np.frombuffer(mapped, np.uint8))
        start = first // _GRANULE * _GRANULE
        stop = min(-(-(first + array.nbytes) // _GRANULE) * _GRANULE, len(mapped))
        mapped.madvise(mmap.MADV_DONTNEED, start, stop - start)


def _map_of(array: NDArray[np.generic]) -> mmap.mmap | None:
    """The map that an array is a view of, if it is read-only: others may hold what no file does."""
    base: object = array
    mode = None
    while base is not None and not isinstance(base, mmap.mmap):
        mode = base.mode if isinstance(base, np.memmap) else mode
        base = getattr(base, "base", None)
    return base if mode == "r" else None


def _address(array: NDArray[np.generic]) -> int:
    return int(array.__array_interface__["data"][0])
