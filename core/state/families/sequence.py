"""Sequence: what the user met just before, and when they met this object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import cosine, recency
from core.state.arrays import MET, RECENT, UO_COUNT, UO_LAST
from core.state.columns import Family, NumberColumn
from core.state.compiling import kernel
from core.state.hashing import PairTable


def user_columns(schema: Schema) -> list[NumberColumn]:
    """None: the time gap is `user_since_last`, previous object and context are codes."""
    del schema
    return []


def request_columns(schema: Schema) -> list[NumberColumn]:
    """Whether each context value is the one of the previous event."""
    return [
        NumberColumn(f"same_{f.name}", Family.SEQUENCE, Branch.CONTEXT, needs_context=True)
        for f in schema.context
    ]


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """Times met and when last, cosine to the previous object, same-facet flags."""
    return [
        NumberColumn("user_object_count", Family.SEQUENCE, Branch.CONTEXT),
        NumberColumn("user_object_since_last", Family.SEQUENCE, Branch.CONTEXT),
        NumberColumn("previous_object_cosine", Family.SEQUENCE, Branch.CONTEXT),
        *(NumberColumn(f"same_{f.name}", Family.SEQUENCE, Branch.CONTEXT) for f in schema.facets),
    ]


@kernel()
def previous_object(trail: NDArray[np.int32]) -> int:
    """The object of the user's previous meeting or like, 0 if there was none."""
    ring = len(trail) - RECENT
    return int(trail[ring + (trail[MET] - 1) % RECENT]) if trail[MET] > 0 else 0


@kernel()
def read_request(
    trail: NDArray[np.int32], context: NDArray[np.int32], out: NDArray[np.float32], k: int
) -> int:
    """See `request_columns`."""
    for i in range(len(context)):
        before = trail[MET + 1 + i]
        if context[i] == 0 or before == 0:
            out[k + i] = np.nan
        else:
            out[k + i] = 1.0 if context[i] == before else 0.0
    return k + len(context)


@kernel()
def read_pair(
    pair: np.int64, user_object: PairTable, since_origin: float, out: NDArray[np.float32], k: int
) -> int:
    """Times met and when last; `pair` is a slot or -1, times are on the user's clock."""
    out[k] = 0.0
    out[k + 1] = np.nan
    if pair >= 0 and user_object.rows[pair, UO_COUNT] > 0:
        out[k] = np.log1p(user_object.rows[pair, UO_COUNT])
        out[k + 1] = recency(since_origin - user_object.marks[pair, UO_LAST])
    return k + 2


@kernel()
def read_previous(
    before_vector: NDArray[np.float32],
    before_values: NDArray[np.int32],
    vector: NDArray[np.float32],
    values: NDArray[np.int32],
    facet_start: NDArray[np.int64],
    out: NDArray[np.float32],
    k: int,
) -> int:
    """Cosine to the previous object and same-facet flags: the same if any value is."""
    out[k] = cosine(before_vector, vector)
    k += 1
    for f in range(len(facet_start) - 1):
        known = False
        same = False
        for i in range(facet_start[f], facet_start[f + 1]):
            for j in range(facet_start[f], facet_start[f + 1]):
                if before_values[i] != 0 and values[j] != 0:
                    known = True
                    same = same or before_values[i] == values[j]
        out[k] = (1.0 if same else 0.0) if known else np.nan
        k += 1
    return k
