"""Affinity: smoothed shares of the user's past, and of the object's, in a value.

(n_uv + a * p_v) / (n_u + a), where p_v is the value's share in the whole log so far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import SHARE_WEIGHT, smoothed
from core.state.arrays import COUNT, OC_COUNT, UV_COUNT
from core.state.columns import Family, NumberColumn
from core.state.compiling import kernel
from core.state.hashing import PairTable, find, pair_key


def user_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def request_columns(schema: Schema) -> list[NumberColumn]:
    """The user's share in each value of the request's context."""
    return [
        NumberColumn(f"user_{f.name}_share", Family.AFFINITY, Branch.CONTEXT, needs_context=True)
        for f in schema.context
    ]


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """The user's share in each facet of the object; the object's share in each context value."""
    return [
        *(
            NumberColumn(f"user_{f.name}_share", Family.AFFINITY, Branch.CONTEXT)
            for f in schema.facets
        ),
        *(
            NumberColumn(
                f"object_{f.name}_share", Family.AFFINITY, Branch.CONTEXT, needs_context=True
            )
            for f in schema.context
        ),
    ]


@kernel()
def _user_share(
    user: int,
    value: int,
    user_count: float,
    value_counts: NDArray[np.float64],
    events: float,
    user_value: PairTable,
) -> float:
    prior = value_counts[value, COUNT] / max(events, 1.0)
    pair = find(user_value, pair_key(user, value))
    count = np.float64(user_value.rows[pair, UV_COUNT]) if pair >= 0 else 0.0
    return smoothed(count, user_count, prior, SHARE_WEIGHT)


@kernel()
def read_request(
    user: int,
    user_count: float,
    context: NDArray[np.int32],
    value_counts: NDArray[np.float64],
    events: float,
    user_value: PairTable,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `request_columns`; `events` counts the whole log so far."""
    for i in range(len(context)):
        if context[i] == 0:
            out[k + i] = np.nan
        else:
            out[k + i] = _user_share(user, context[i], user_count, value_counts, events, user_value)
    return k + len(context)


@kernel()
def read_facets(
    user: int,
    user_count: float,
    values: NDArray[np.int32],
    facet_start: NDArray[np.int64],
    value_counts: NDArray[np.float64],
    events: float,
    user_value: PairTable,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """The facets' part of `candidate_columns`: means over several values."""
    for f in range(len(facet_start) - 1):
        present = 0
        total = 0.0
        for slot in range(facet_start[f], facet_start[f + 1]):
            value = values[slot]
            if value != 0:
                present += 1
                total += _user_share(user, value, user_count, value_counts, events, user_value)
        out[k] = total / present if present else np.nan
        k += 1
    return k


@kernel()
def read_object(
    obj: int,
    object_count: float,
    context: NDArray[np.int32],
    value_counts: NDArray[np.float64],
    events: float,
    object_context: PairTable,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """The object's part of `candidate_columns`."""
    for i in range(len(context)):
        if context[i] == 0:
            out[k + i] = np.nan
        else:
            prior = value_counts[context[i], COUNT] / max(events, 1.0)
            pair = find(object_context, pair_key(obj, context[i]))
            count = np.float64(object_context.rows[pair, OC_COUNT]) if pair >= 0 else 0.0
            out[k + i] = smoothed(count, object_count, prior, SHARE_WEIGHT)
    return k + len(context)
