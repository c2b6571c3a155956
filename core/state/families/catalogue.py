"""Catalogue: how many objects carry each facet value so far; membership in pools."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arrays import DISTINCT
from core.state.columns import Family, NumberColumn
from core.state.compiling import kernel


def user_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """log1p of the distinct objects met with each facet value; 1 for each pool it is in."""
    return [
        *(
            NumberColumn(f"{f.name}_objects", Family.CATALOGUE, Branch.CONTEXT)
            for f in schema.facets
        ),
        *(NumberColumn(f"in_{pool}", Family.CATALOGUE, Branch.OBJECT) for pool in schema.pools),
    ]


@kernel()
def read_candidate(
    values: NDArray[np.int32],
    pools: NDArray[np.bool_],
    facet_start: NDArray[np.int64],
    value_counts: NDArray[np.float64],
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`; facets with several values take the mean."""
    for f in range(len(facet_start) - 1):
        present = 0
        total = 0.0
        for slot in range(facet_start[f], facet_start[f + 1]):
            if values[slot] != 0:
                present += 1
                total += np.log1p(value_counts[values[slot], DISTINCT])
        out[k] = total / present if present else np.nan
        k += 1
    for pool in range(len(pools)):
        out[k] = 1.0 if pools[pool] else 0.0
        k += 1
    return k
