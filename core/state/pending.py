"""Labels on their way: a heap ordered by maturity, then by arrival."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.arrays import (
    FREE,
    HEAPED,
    NEXT_SERIAL,
    P_CONTEXT,
    P_LABEL,
    P_OBJECT,
    P_ROW,
    P_SERIAL,
    P_TIE,
    P_USER,
    Pending,
)
from core.state.compiling import kernel


@kernel()
def _before(p: Pending, a: int, b: int) -> bool:
    if p.matures_at[a] != p.matures_at[b]:
        return bool(p.matures_at[a] < p.matures_at[b])
    return bool(p.entries[a, P_SERIAL] < p.entries[b, P_SERIAL])


@kernel()
def push(
    p: Pending,
    user: int,
    obj: int,
    context: NDArray[np.int32],
    matures_at: float,
    match: float,
    tie_group: int,
    label: int,
    row: int,
) -> int:
    """Put a label on its way and return its slot. The caller keeps a free slot."""
    p.sizes[FREE] -= 1
    slot = int(p.free[p.sizes[FREE]])
    entry = p.entries[slot]
    entry[P_USER] = user
    entry[P_OBJECT] = obj
    entry[P_TIE] = tie_group
    entry[P_LABEL] = label
    entry[P_ROW] = row
    entry[P_SERIAL] = p.sizes[NEXT_SERIAL]
    for i in range(len(context)):
        entry[P_CONTEXT + i] = context[i]
    p.matures_at[slot] = matures_at
    p.match[slot] = match
    p.sizes[NEXT_SERIAL] += 1
    i = int(p.sizes[HEAPED])
    p.sizes[HEAPED] += 1
    while i > 0 and _before(p, slot, p.heap[(i - 1) // 2]):
        p.heap[i] = p.heap[(i - 1) // 2]
        i = (i - 1) // 2
    p.heap[i] = slot
    return slot


@kernel()
def pop(p: Pending) -> int:
    """Take out the label that matures first; its slot is free but still readable."""
    slot = int(p.heap[0])
    p.sizes[HEAPED] -= 1
    n = p.sizes[HEAPED]
    moved = p.heap[n]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and _before(p, p.heap[child + 1], p.heap[child]):
            child += 1
        if not _before(p, p.heap[child], moved):
            break
        p.heap[i] = p.heap[child]
        i = child
    if n > 0:
        p.heap[i] = moved
    p.free[p.sizes[FREE]] = slot
    p.sizes[FREE] += 1
    return slot
