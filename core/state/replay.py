"""Replay: a log goes through the state in order; rows asked for leave their as-of features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.log import UNKNOWN_LABEL
from core.state.arrays import CLOCK, P_ROW, with_pair_room
from core.state.replaying import LogArrays, replay_rows
from core.state.snapshot_reader import FeatureSink, SnapshotReader
from core.state.state import State
from core.state.writing import advance

CHUNK = 1_000
"""Rows between two looks at the capacity of the tables; their snapshots take some 10 MB."""


class Replay:
    """One pass of a log through a state, taken in stretches."""

    def __init__(self, state: State, log: LogArrays) -> None:
        self.state = state
        self._log = log
        self._next = 0
        self._none = np.zeros(len(log.time), bool)
        self.labels = np.full(len(log.time), UNKNOWN_LABEL, np.int8)
        state.arrays.pending.entries[:, P_ROW] = -1  # labels of an earlier log are not this one's

    def run(
        self,
        stop: int,
        wanted: NDArray[np.bool_] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.int32]]:
        """Replay the rows up to `stop` and return rows, numbers and codes of the wanted ones.

        Args:
            stop: row before which to stop; moved on to the end of its tie group.
            wanted: (n_log,) rows whose features are wanted; none when absent.
            progress: called with the fraction of this stretch that is done.
        """
        parts = _Parts(self.state)
        rows = self.run_into(parts, stop, wanted, progress)
        return rows, np.concatenate(parts.numbers), np.concatenate(parts.codes)

    def run_into(
        self,
        sink: FeatureSink,
        stop: int,
        wanted: NDArray[np.bool_] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> NDArray[np.intp]:
        """As `run`, the features going into `sink`; returns the wanted rows."""
        start, stop = self._next, _group_end(self._log.tie_group, stop)
        wanted = self._none if wanted is None else wanted
        with SnapshotReader(
            self.state.arrays, self.state.columns.cardinalities, CHUNK, sink
        ) as reader:
            while self._next < stop:
                end = self._chunk_end(stop)
                self.state.arrays = with_pair_room(self.state.arrays, end - self._next)
                if np.count_nonzero(wanted[self._next : end]) <= CHUNK:
                    self._step(reader, self._next, end, wanted)
                else:  # one moment with many rows
                    for first in range(self._next, end, CHUNK):
                        last = min(first + CHUNK, end)
                        self._step(reader, first, last, wanted, writes=False)
                    self._step(reader, self._next, end, self._none)
                self._next = end
                if progress is not None:
                    progress((end - start) / max(stop - start, 1))
        return np.flatnonzero(wanted[start:stop]) + start

    def _chunk_end(self, stop: int) -> int:
        """The end of the next chunk: of at most `CHUNK` rows, or of one tie group."""
        groups = self._log.tie_group
        end = min(_group_end(groups, self._next + CHUNK), stop)
        last_group = int(np.searchsorted(groups, groups[end - 1], side="left"))
        return last_group if end - self._next > CHUNK and last_group > self._next else end

    def _step(
        self,
        reader: SnapshotReader,
        first: int,
        last: int,
        wanted: NDArray[np.bool_],
        *,
        writes: bool = True,
    ) -> None:
        """Rows [first, last) through the state, and snapshots of the wanted ones to the reader."""
        snapshots = reader.free()
        taken = replay_rows(
            self.state.arrays,
            self._log,
            first,
            last,
            wanted,
            reader.cardinalities,
            snapshots,
            self.labels,
            writes,
        )
        reader.read(snapshots, taken)

    def advance(self, row: int) -> None:
        """Let the labels mature that are known at the moment of a row, the next to come."""
        advance(self.state.arrays, float(self._log.time[row]), self.labels)

    def finish(self, time_s: float) -> None:
        """Let the labels mature that are due by `time_s`, the end of what is known.

        Those due at `time_s` itself as well: no event of that moment is yet to come.
        """
        totals = self.state.arrays.totals.numbers
        clock = max(totals[CLOCK], time_s)
        advance(self.state.arrays, float(np.nextafter(time_s, np.inf)), self.labels)
        totals[CLOCK] = clock


class _Parts:
    """Features in memory, an array a chunk."""

    def __init__(self, state: State) -> None:
        n_numbers, n_codes = len(state.columns.numbers), len(state.columns.codes)
        self.numbers = [np.empty((0, n_numbers), np.float32)]
        self.codes = [np.empty((0, n_codes), np.int32)]

    def room(self, rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        self.numbers.append(np.empty((rows, self.numbers[0].shape[1]), np.float32))
        self.codes.append(np.empty((rows, self.codes[0].shape[1]), np.int32))
        return self.numbers[-1], self.codes[-1]

    def keep(self, rows: int) -> None:
        """All of the room was written: it was just as large as needed."""


def _group_end(tie_group: NDArray[np.int64], row: int) -> int:
    """The first row at or after `row` that begins a tie group."""
    if row <= 0 or row >= len(tie_group):
        return max(min(row, len(tie_group)), 0)
    return int(np.searchsorted(tie_group, tie_group[row - 1], side="right"))
