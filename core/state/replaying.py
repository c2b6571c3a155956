"""The replay kernel: snapshots before each tie group, then its events; the same code as live."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.state.arrays import StateArrays
from core.state.compiling import kernel
from core.state.fetching import fetch_event, fetch_meeting, hint
from core.state.snapshots import Snapshots, forget, take
from core.state.writing import INTERACTION, advance, interact, react

AHEAD = 16
"""So many rows of the next tie group are fetched at most, and no more than this one has."""


class LogArrays(NamedTuple):
    """An event log in the state's own indices; n rows."""

    user: NDArray[np.int32]
    object: NDArray[np.int32]
    context: NDArray[np.int32]
    """(n, context fields) value ids."""
    time: NDArray[np.float64]
    user_time: NDArray[np.float64]
    tie_group: NDArray[np.int64]
    kind: NDArray[np.int8]
    """INTERACTION, LIKE, DISLIKE, UNLIKE or SKIP."""
    label: NDArray[np.int8]
    matures_at: NDArray[np.float64]


@kernel()
def _wide(number: int) -> int:
    """The number in 64 bits, in which Numba adds."""
    return number + 0


@kernel(nogil=True)  # earlier snapshots are read meanwhile
def replay_rows(
    s: StateArrays,
    log: LogArrays,
    start: int,
    stop: int,
    wanted: NDArray[np.bool_],
    cardinalities: NDArray[np.int32],
    snapshots: Snapshots,
    labels_out: NDArray[np.int8],
    writes: bool,
) -> int:
    """Replay rows [start, stop), whole tie groups; returns how many snapshots were taken.

    They are of the wanted rows, in their order; `snapshots` must have room for all. Unless it
    `writes` their events, the rows may also be a part of one group.

    Whole numbers are as wide as the serving side's: kernels are compiled anew for each type of
    argument.
    """
    forget(snapshots)
    taken = 0
    i = start
    while i < stop:
        j = i + 1
        while j < stop and log.tie_group[j] == log.tie_group[i]:
            j += 1
        for row in range(j, min(j + min(j - i, AHEAD), stop)):
            user, obj = _wide(log.user[row]), _wide(log.object[row])
            fetch_event(s, user, obj, log.context[row])
            fetch_meeting(s, user, obj, log.context[row])
        if j + 1 < stop:
            hint(s.objects.values[log.object[j + 1]])
            hint(s.users.trail[log.user[j + 1]])
        advance(s, log.time[i], labels_out)
        for row in range(i, j):
            if wanted[row]:
                take(
                    s,
                    _wide(log.user[row]),
                    log.object[row : row + 1],
                    log.context[row],
                    log.time[row],
                    log.user_time[row],
                    cardinalities,
                    snapshots,
                    _wide(taken),
                )
                taken += 1
        for row in range(i, j if writes else i):
            user, obj = _wide(log.user[row]), _wide(log.object[row])
            if log.kind[row] == INTERACTION:
                interact(
                    s,
                    user,
                    obj,
                    log.context[row],
                    log.time[row],
                    log.user_time[row],
                    log.tie_group[row],
                    _wide(log.label[row]),
                    log.matures_at[row],
                    row,
                )
            else:
                react(
                    s,
                    user,
                    obj,
                    _wide(log.kind[row]),
                    log.time[row],
                    log.tie_group[row],
                )
        i = j
    return taken
