"""Activity: how much, how lately, how widely; of the user, the object and its facet values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import SHARE_WEIGHT, decay, recency, smoothed
from core.state.arrays import (
    COUNT,
    DECAYED,
    DISLIKES,
    DISTINCT,
    LAST,
    LIKES,
    REPEATS,
    SKIPS,
    UV_COUNT,
    UV_DECAYED,
    UV_FIRST,
    UV_LAST,
    UV_REPEATS,
)
from core.state.columns import Family, NumberColumn
from core.state.compiling import kernel
from core.state.hashing import PairTable, find, pair_key


def _decayed(schema: Schema, prefix: str, branch: Branch) -> list[NumberColumn]:
    return [
        NumberColumn(f"{prefix}_decayed_{half_life / 3600:g}h", Family.ACTIVITY, branch)
        for half_life in schema.half_lives_s
    ]


def user_columns(schema: Schema) -> list[NumberColumn]:
    """log1p counts, decayed counts, distinct objects and facet values, log1p seconds since.

    `repeat_share` is the share of meetings that were not the first of their pair; `visits` are
    meetings without a long pause in between, `visit_size` the log of the meetings in one, both
    decayed by the longest half-life.
    """
    return [
        NumberColumn("user_count", Family.ACTIVITY, Branch.USER),
        *_decayed(schema, "user", Branch.USER),
        NumberColumn("user_since_last", Family.ACTIVITY, Branch.USER),
        NumberColumn("user_distinct_objects", Family.ACTIVITY, Branch.USER),
        *(
            NumberColumn(f"user_distinct_{f.name}", Family.ACTIVITY, Branch.USER)
            for f in schema.facets
        ),
        NumberColumn("user_likes", Family.ACTIVITY, Branch.USER),
        NumberColumn("user_dislikes", Family.ACTIVITY, Branch.USER),
        NumberColumn("user_skips", Family.ACTIVITY, Branch.USER),
        NumberColumn("user_repeat_share", Family.ACTIVITY, Branch.USER),
        *_decayed(schema, "user_visits", Branch.USER),
        NumberColumn("user_visit_size", Family.ACTIVITY, Branch.USER),
    ]


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """The object's own, then for each facet the value's and those of (user, value).

    Of the latter: `decayed` by the longest half-life, `gap` the mean time between meetings (log1p
    seconds), `overdue` the log of the time since the last one over that.
    """
    columns = [
        NumberColumn("object_count", Family.ACTIVITY, Branch.OBJECT),
        *_decayed(schema, "object", Branch.CONTEXT),
        NumberColumn("object_since_last", Family.ACTIVITY, Branch.CONTEXT),
        NumberColumn("object_distinct_users", Family.ACTIVITY, Branch.OBJECT),
        NumberColumn("object_likes", Family.ACTIVITY, Branch.OBJECT),
        NumberColumn("object_dislikes", Family.ACTIVITY, Branch.OBJECT),
        NumberColumn("object_skips", Family.ACTIVITY, Branch.OBJECT),
        NumberColumn("object_repeat_share", Family.ACTIVITY, Branch.OBJECT),
    ]
    for f in schema.facets:
        columns += [
            NumberColumn(f"{f.name}_count", Family.ACTIVITY, Branch.CONTEXT),
            *_decayed(schema, f.name, Branch.CONTEXT),
            NumberColumn(f"{f.name}_repeat_share", Family.ACTIVITY, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_count", Family.ACTIVITY, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_decayed", Family.ACTIVITY, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_repeat_share", Family.ACTIVITY, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_since_last", Family.ACTIVITY, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_gap", Family.ACTIVITY, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_overdue", Family.ACTIVITY, Branch.CONTEXT),
        ]
    return columns


@kernel()
def _write_decayed(
    counts: NDArray[np.float64],
    time: float,
    half_lives: NDArray[np.float64],
    out: NDArray[np.float32],
    k: int,
) -> int:
    elapsed = time - counts[LAST]
    for h in range(len(half_lives)):
        out[k + h] = np.log1p(counts[DECAYED + h] * decay(elapsed, half_lives[h]))
    return k + len(half_lives)


@kernel()
def repeat_share(repeats: float, count: float, prior: float) -> float:
    """The share of meetings that were repeats, drawn to a prior."""
    return smoothed(repeats, count, prior, SHARE_WEIGHT)


@kernel()
def _write_reactions(counts: NDArray[np.float64], out: NDArray[np.float32], k: int) -> int:
    out[k] = np.log1p(counts[LIKES])
    out[k + 1] = np.log1p(counts[DISLIKES])
    out[k + 2] = np.log1p(counts[SKIPS])
    out[k + 3] = repeat_share(counts[REPEATS], counts[COUNT], 0.0)
    return k + 4


@kernel()
def read_user(
    counts: NDArray[np.float64],
    distinct: NDArray[np.float64],
    visits: NDArray[np.float64],
    user_time: float,
    half_lives: NDArray[np.float64],
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `user_columns`; `counts`, `distinct` and `visits` are the user's rows."""
    out[k] = np.log1p(counts[COUNT])
    k = _write_decayed(counts, user_time, half_lives, out, k + 1)
    out[k] = recency(user_time - counts[LAST])
    out[k + 1] = np.log1p(counts[DISTINCT])
    k += 2
    for f in range(len(distinct)):
        out[k] = np.log1p(distinct[f])
        k += 1
    k = _write_reactions(counts, out, k)
    elapsed = user_time - counts[LAST]
    for h in range(len(half_lives)):
        out[k + h] = np.log1p(visits[h] * decay(elapsed, half_lives[h]))
    k += len(half_lives)
    # Both fade alike: their ratio is that of the last meeting.
    last = len(half_lives) - 1
    size = np.log(counts[DECAYED + last]) - np.log(visits[last])
    out[k] = size if counts[COUNT] > 0 else np.nan
    return k + 1


@kernel()
def read_object(
    counts: NDArray[np.float64],
    time: float,
    half_lives: NDArray[np.float64],
    out: NDArray[np.float32],
    k: int,
) -> int:
    """The object's own part of `candidate_columns`."""
    out[k] = np.log1p(counts[COUNT])
    k = _write_decayed(counts, time, half_lives, out, k + 1)
    out[k] = recency(time - counts[LAST])
    out[k + 1] = np.log1p(counts[DISTINCT])
    return _write_reactions(counts, out, k + 2)


@kernel()
def read_facets(
    user: int,
    values: NDArray[np.int32],
    facet_start: NDArray[np.int64],
    value_counts: NDArray[np.float64],
    user_value: PairTable,
    time: float,
    user_since_origin: float,
    half_lives: NDArray[np.float64],
    user_repeat_share: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """The facets' part of `candidate_columns`: means over several values, the latest recency."""
    of_pair = k + 2 + len(half_lives)  # where the first (user, value) column lies
    for f in range(len(facet_start) - 1):
        present = 0
        timed = 0
        last = -np.inf
        gaps = 0.0
        overdue = 0.0
        out[k : of_pair + 3] = 0.0
        for slot in range(facet_start[f], facet_start[f + 1]):
            value = values[slot]
            if value == 0:
                continue
            present += 1
            counts = value_counts[value]
            out[k] += np.float32(np.log1p(counts[COUNT]))
            elapsed = time - counts[LAST]
            for h in range(len(half_lives)):
                faded = counts[DECAYED + h] * decay(elapsed, half_lives[h])
                out[k + 1 + h] += np.float32(np.log1p(faded))
            out[of_pair - 1] += np.float32(repeat_share(counts[REPEATS], counts[COUNT], 0.0))
            pair = find(user_value, pair_key(user, value))
            if pair < 0 or user_value.rows[pair, UV_COUNT] == 0:
                out[of_pair + 2] += np.float32(user_repeat_share)
                continue
            row, marks = user_value.rows[pair], user_value.marks[pair]
            since = user_since_origin - marks[UV_LAST]
            faded = np.float64(row[UV_DECAYED]) * decay(since, half_lives[-1])
            out[of_pair] += np.float32(np.log1p(row[UV_COUNT]))
            out[of_pair + 1] += np.float32(np.log1p(faded))
            out[of_pair + 2] += np.float32(
                repeat_share(
                    np.float64(row[UV_REPEATS]), np.float64(row[UV_COUNT]), user_repeat_share
                )
            )
            last = max(last, np.float64(marks[UV_LAST]))
            if row[UV_COUNT] > 1:
                gap = np.float64(marks[UV_LAST] - marks[UV_FIRST]) / (row[UV_COUNT] - 1.0)
                timed += 1
                gaps += np.log1p(gap)
                overdue += np.log1p(max(since, 0.0)) - np.log1p(gap)
        for i in range(k, of_pair + 3):
            out[i] = out[i] / np.float32(present) if present else np.nan
        out[of_pair + 3] = recency(user_since_origin - last)
        out[of_pair + 4] = gaps / timed if timed else np.nan
        out[of_pair + 5] = overdue / timed if timed else np.nan
        k = of_pair + 6
        of_pair = k + 2 + len(half_lives)
    return k
