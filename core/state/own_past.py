"""A user's own past: every object they met, how often, how lately and in which rhythm.

Objects form a chain in the order of their first meetings, from `Users.newest` by UO_BEFORE of each
pair: so the past of one user is found without looking at any other's. Only interactions count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.state.arithmetic import decay
from core.state.arrays import (
    ORIGIN,
    UO_BEFORE,
    UO_COUNT,
    UO_DECAYED,
    UO_FIRST,
    UO_LAST,
    StateArrays,
)
from core.state.compiling import allocating_kernel, kernel
from core.state.hashing import PairTable, find, pair_key


@dataclass(frozen=True)
class OwnPast:
    """What a user's past says of n objects; times are on the user's own clock."""

    count: NDArray[np.int64]
    """(n,) meetings."""
    decayed: NDArray[np.float64]
    """(n, PAST_HALF_LIVES) meetings, decayed by `Shape.past_half_lives`, the longest last."""
    since_last_s: NDArray[np.float64]
    """(n,) never negative; NaN never met."""
    mean_gap_s: NDArray[np.float64]
    """(n,) mean time between two meetings, never negative; NaN below two."""


@kernel()
def meet_own(
    user: int,
    obj: int,
    now: int,
    met: NDArray[np.float32],
    marks: NDArray[np.int32],
    newest: NDArray[np.int32],
    half_lives: NDArray[np.float64],
) -> None:
    """Count a meeting; the first one puts the object at the head of the user's chain.

    `met` and `marks` are of the pair, `now` is whole seconds since the origin on the user's clock.
    """
    if met[UO_COUNT] == 0.0:
        marks[UO_FIRST] = now
        marks[UO_BEFORE] = newest[user]
        newest[user] = obj
    elapsed = now - marks[UO_LAST]
    for h in range(len(half_lives)):
        met[UO_DECAYED + h] = met[UO_DECAYED + h] * decay(elapsed, half_lives[h]) + 1.0
    met[UO_COUNT] += 1.0
    marks[UO_LAST] = now


@allocating_kernel()
def read_own_objects(user_object: PairTable, user: int, newest: int, n: int) -> NDArray[np.int32]:
    """(n,) the objects that the user has met, from the one first met latest on."""
    out = np.empty(n, np.int32)
    obj = newest
    for i in range(n):
        out[i] = obj
        obj = user_object.marks[find(user_object, pair_key(user, obj)), UO_BEFORE]
    return out


def read_own_past(
    s: StateArrays, user: int, objects: NDArray[np.int32], user_time_s: float
) -> OwnPast:
    """What the user's past says of objects (n,) at a moment of the user's own clock."""
    n = len(objects)
    past = OwnPast(
        np.zeros(n, np.int64),
        np.zeros((n, len(s.shape.past_half_lives))),
        np.full(n, np.nan),
        np.full(n, np.nan),
    )
    _fill(
        s.user_object,
        user,
        objects,
        user_time_s - s.totals.numbers[ORIGIN],
        s.shape.past_half_lives,
        past.count,
        past.decayed,
        past.since_last_s,
        past.mean_gap_s,
    )
    return past


@kernel()
def _fill(
    user_object: PairTable,
    user: int,
    objects: NDArray[np.int32],
    since_origin: float,
    half_lives: NDArray[np.float64],
    count: NDArray[np.int64],
    decayed: NDArray[np.float64],
    since_last_s: NDArray[np.float64],
    mean_gap_s: NDArray[np.float64],
) -> None:
    """Write what is known of the objects that were met; see `OwnPast`."""
    for i in range(len(objects)):
        pair = find(user_object, pair_key(user, objects[i]))
        if pair < 0 or user_object.rows[pair, UO_COUNT] == 0.0:
            continue
        row, marks = user_object.rows[pair], user_object.marks[pair]
        since = max(since_origin - marks[UO_LAST], 0.0)
        count[i] = np.int64(row[UO_COUNT])
        for h in range(len(half_lives)):
            decayed[i, h] = np.float64(row[UO_DECAYED + h]) * decay(since, half_lives[h])
        since_last_s[i] = since
        if row[UO_COUNT] > 1.0:
            span = max(np.float64(marks[UO_LAST]) - np.float64(marks[UO_FIRST]), 0.0)
            mean_gap_s[i] = span / (np.float64(row[UO_COUNT]) - 1.0)


@allocating_kernel()
def last_met_s(
    user_object: PairTable, user: int, objects: NDArray[np.int32], origin: float
) -> NDArray[np.float64]:
    """(n,) moments of the last meetings, in whole seconds since the origin; -inf never met."""
    out = np.full(len(objects), -np.inf)
    for i in range(len(objects)):
        pair = find(user_object, pair_key(user, objects[i]))
        if pair >= 0 and user_object.rows[pair, UO_COUNT] > 0.0:
            out[i] = origin + user_object.marks[pair, UO_LAST]
    return out
