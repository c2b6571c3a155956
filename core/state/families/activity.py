"""Activity: how much, how lately, how widely; of the user, the object and its facet values."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import decay, recency
from core.state.arrays import (
    COUNT,
    DECAYED,
    DISLIKES,
    DISTINCT,
    LAST,
    LIKES,
    SKIPS,
    UV_COUNT,
    UV_LAST,
)
from core.state.columns import Family, NumberColumn
from core.state.hashing import PairTable, find, pair_key


def _decayed(schema: Schema, prefix: str, branch: Branch) -> list[NumberColumn]:
    return [
        NumberColumn(f"{prefix}_decayed_{half_life / 3600:g}h", Family.ACTIVITY, branch)
        for half_life in schema.half_lives_s
    ]


def user_columns(schema: Schema) -> list[NumberColumn]:
    """log1p counts, decayed counts, distinct objects and facet values, log1p seconds since."""
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
    ]


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """The object's own, then for each facet the value's and the (user, value) recency."""
    columns = [
        NumberColumn("object_count", Family.ACTIVITY, Branch.OBJECT),
        *_decayed(schema, "object", Branch.CONTEXT),
        NumberColumn("object_since_last", Family.ACTIVITY, Branch.CONTEXT),
        NumberColumn("object_distinct_users", Family.ACTIVITY, Branch.OBJECT),
        NumberColumn("object_likes", Family.ACTIVITY, Branch.OBJECT),
        NumberColumn("object_dislikes", Family.ACTIVITY, Branch.OBJECT),
        NumberColumn("object_skips", Family.ACTIVITY, Branch.OBJECT),
    ]
    for f in schema.facets:
        columns += [
            NumberColumn(f"{f.name}_count", Family.ACTIVITY, Branch.CONTEXT),
            *_decayed(schema, f.name, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_count", Family.ACTIVITY, Branch.CONTEXT),
            NumberColumn(f"user_{f.name}_since_last", Family.ACTIVITY, Branch.CONTEXT),
        ]
    return columns


@njit(cache=True)
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


@njit(cache=True)
def _write_reactions(counts: NDArray[np.float64], out: NDArray[np.float32], k: int) -> int:
    out[k] = np.log1p(counts[LIKES])
    out[k + 1] = np.log1p(counts[DISLIKES])
    out[k + 2] = np.log1p(counts[SKIPS])
    return k + 3


@njit(cache=True)
def read_user(
    counts: NDArray[np.float64],
    distinct: NDArray[np.float64],
    user_time: float,
    half_lives: NDArray[np.float64],
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `user_columns`; `counts` and `distinct` are the user's rows."""
    out[k] = np.log1p(counts[COUNT])
    k = _write_decayed(counts, user_time, half_lives, out, k + 1)
    out[k] = recency(user_time - counts[LAST])
    out[k + 1] = np.log1p(counts[DISTINCT])
    k += 2
    for f in range(len(distinct)):
        out[k] = np.log1p(distinct[f])
        k += 1
    return _write_reactions(counts, out, k)


@njit(cache=True)
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


@njit(cache=True)
def read_facets(
    user: int,
    values: NDArray[np.int32],
    facet_start: NDArray[np.int64],
    value_counts: NDArray[np.float64],
    user_value: PairTable,
    time: float,
    user_since_origin: float,
    half_lives: NDArray[np.float64],
    out: NDArray[np.float32],
    k: int,
) -> int:
    """The facets' part of `candidate_columns`: means over several values, the latest recency."""
    width = 3 + len(half_lives)
    for f in range(len(facet_start) - 1):
        present = 0
        last = -np.inf
        out[k : k + width] = 0.0
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
            pair = find(user_value, pair_key(user, value))
            if pair >= 0 and user_value.rows[pair, UV_COUNT] > 0:
                out[k + width - 2] += np.float32(np.log1p(user_value.rows[pair, UV_COUNT]))
                last = max(last, np.float64(user_value.marks[pair, UV_LAST]))
        for i in range(width - 1):
            out[k + i] = out[k + i] / np.float32(present) if present else np.nan
        out[k + width - 1] = recency(user_since_origin - last)
        k += width
    return k
