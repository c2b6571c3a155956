"""Pending labels leave in the order of their maturity, those of one moment as they came."""

from __future__ import annotations

import heapq

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.state.arrays import (
    FREE,
    HEAPED,
    P_CONTEXT,
    P_OBJECT,
    P_SERIAL,
    P_USER,
    new_arrays,
    with_pair_room,
)
from core.state.layout import shape_of
from core.state.pending import pop, push
from core.testing_logs import SMALL_SCHEMA

STEPS = st.lists(st.one_of(st.integers(0, 6), st.just(None)), max_size=150)


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_pending_labels_leave_as_from_a_stable_heap(steps: list[int | None]) -> None:
    """A number is a label that matures then, None takes the next one out."""
    arrays = new_arrays(SMALL_SCHEMA, shape_of(SMALL_SCHEMA))
    expected: list[tuple[float, int]] = []
    arrived = 0
    for step in steps:
        if step is not None:
            arrays = with_pair_room(arrays, 1)
            context = np.array([arrived, arrived + 1], np.int32)
            match = arrived / 8.0
            push(arrays.pending, arrived, 2 * arrived, context, float(step), match, 0, -1, arrived)
            heapq.heappush(expected, (float(step), arrived))
            arrived += 1
        elif expected:
            slot = pop(arrays.pending)
            entry = arrays.pending.entries[slot]
            matures_at, serial = heapq.heappop(expected)
            assert arrays.pending.matures_at[slot] == matures_at
            assert arrays.pending.match[slot] == serial / 8.0
            assert entry[P_SERIAL] == entry[P_USER] == serial
            assert entry[P_OBJECT] == 2 * serial
            assert entry[P_CONTEXT:].tolist() == [serial, serial + 1]
        sizes = arrays.pending.sizes
        assert sizes[HEAPED] == len(expected)
        assert sizes[HEAPED] + sizes[FREE] == len(arrays.pending.heap)
    in_use = set(arrays.pending.heap[: arrays.pending.sizes[HEAPED]].tolist())
    free = set(arrays.pending.free[: arrays.pending.sizes[FREE]].tolist())
    assert in_use | free == set(range(len(arrays.pending.heap)))
    assert not in_use & free
