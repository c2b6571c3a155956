"""Reading snapshots while the log goes on."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from core.state.arrays import StateArrays
from core.state.snapshots import Snapshots, new_snapshots, read_snapshots

_AHEAD = 2
"""So many chunks may wait to be read while the next is replayed."""


class FeatureSink(Protocol):
    """Takes in the features of wanted rows, in log order."""

    def room(self, rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Where the next rows go: numbers (rows, number columns) and codes (rows, code columns)."""
        ...

    def keep(self, rows: int) -> None:
        """The first `rows` rows of the room have been written."""
        ...


class SnapshotReader:
    """Reads snapshots into a sink, in order; in a thread of its own where a core is free for it.

    What is read is the same, bit for bit.
    """

    def __init__(
        self,
        arrays: StateArrays,
        cardinalities: NDArray[np.int32],
        capacity: int,
        sink: FeatureSink,
    ) -> None:
        """Room for snapshots of `capacity` rows of a state; codes are below `cardinalities`."""
        self.cardinalities = cardinalities
        self._sink = sink
        self._thread = ThreadPoolExecutor(max_workers=1) if _cores() > 1 else None
        self._free = [
            new_snapshots(arrays, capacity, len(cardinalities)) for _ in range(1 + _AHEAD)
        ]
        self._waiting: deque[tuple[Future[None], Snapshots]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Until all is read; after an error what waits is left unread."""
        try:
            while self._waiting and error is None:
                self._next_read()
        finally:
            if self._thread is not None:
                self._thread.shutdown(cancel_futures=True)

    def free(self) -> Snapshots:
        """Room for the next snapshots, once there is some."""
        if not self._free:
            self._next_read()
        return self._free.pop()

    def read(self, snapshots: Snapshots, n: int) -> None:
        """Have the first n read, after all earlier ones."""
        if not n:
            self._free.append(snapshots)
        elif self._thread is None:
            self._read(snapshots, n)
            self._free.append(snapshots)
        else:
            self._waiting.append((self._thread.submit(self._read, snapshots, n), snapshots))

    def _next_read(self) -> None:
        """Wait for the earliest that was not yet read."""
        reading, snapshots = self._waiting.popleft()
        reading.result()
        self._free.append(snapshots)

    def _read(self, snapshots: Snapshots, n: int) -> None:
        numbers, codes = self._sink.room(n)
        read_snapshots(snapshots, n, numbers)
        codes[:] = snapshots.codes[:n]
        self._sink.keep(n)


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
