"""Open-addressing tables for pairs: a uint64 key leads to a row of counts and one of marks.

Python dicts cannot be used from the kernels, and a dense matrix of pairs would not fit. Keys are
stored plus one, so that zero marks an empty slot; nothing is ever deleted.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.state.compiling import allocating_kernel, kernel

MAX_LOAD = 0.6
"""Share of slots in use beyond which a table doubles."""


Number = TypeVar("Number", np.float32, np.float64)


class PairTable(NamedTuple):
    """One table of pairs.

    Attributes:
        keys: (capacity,) uint64, key + 1, 0 empty; capacity is a power of two.
        rows: (capacity, width) float32, what is counted of the pair at the same slot.
        marks: (capacity, mark width) int32, moments in whole seconds and places in other arrays:
            what float32 would blur as the log gets longer.
        size: (1,) int64, slots in use.
    """

    keys: NDArray[np.uint64]
    rows: NDArray[np.float32]
    marks: NDArray[np.int32]
    size: NDArray[np.int64]


def new_pair_table(width: int, mark_width: int, capacity: int = 1024) -> PairTable:
    """An empty table with `width` counts and `mark_width` marks; capacity is a power of two."""
    return PairTable(
        np.zeros(capacity, np.uint64),
        np.zeros((capacity, width), np.float32),
        np.zeros((capacity, mark_width), np.int32),
        np.zeros(1, np.int64),
    )


def grown(table: PairTable, extra: int) -> PairTable:
    """The table itself, or a larger copy, with room for `extra` more pairs."""
    capacity = len(table.keys)
    while table.size[0] + extra > MAX_LOAD * capacity:
        capacity *= 2
    if capacity == len(table.keys):
        return table
    larger = new_pair_table(table.rows.shape[1], table.marks.shape[1], capacity)
    _rehash(table, larger)
    return larger


@kernel()
def pair_key(a: int, b: int) -> np.uint64:
    """The key of two dense indices."""
    return (np.uint64(a) << np.uint64(32)) | np.uint64(b)


@kernel()
def home(keys: NDArray[np.uint64], stored: np.uint64) -> np.uint64:
    """The slot where the search for a stored key begins."""
    x = stored  # splitmix64: neighbouring indices must not land in neighbouring slots
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return x & np.uint64(len(keys) - 1)


@kernel()
def _slot(keys: NDArray[np.uint64], stored: np.uint64) -> np.int64:
    """The slot that holds the stored key, or the empty slot where it belongs."""
    mask = np.uint64(len(keys) - 1)
    slot = home(keys, stored)
    while keys[slot] != np.uint64(0) and keys[slot] != stored:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@kernel()
def find(table: PairTable, key: np.uint64) -> np.int64:
    """The slot of a pair, or -1 if it was never met."""
    stored = key + np.uint64(1)
    slot = _slot(table.keys, stored)
    return slot if table.keys[slot] == stored else np.int64(-1)


@allocating_kernel()
def read_column(
    table: PairTable, a: int, others: NDArray[np.int32], column: int
) -> NDArray[np.float32]:
    """(n,) one count of the pairs of `a` with each of `others` (n,); 0 for those never met."""
    out = np.zeros(len(others), np.float32)
    for i in range(len(others)):
        slot = find(table, pair_key(a, others[i]))
        if slot >= 0:
            out[i] = table.rows[slot, column]
    return out


@kernel()
def find_or_add(table: PairTable, key: np.uint64) -> np.int64:
    """The slot of a pair, made new (all zero) if it was never met. The caller keeps room."""
    stored = key + np.uint64(1)
    slot = _slot(table.keys, stored)
    if table.keys[slot] == np.uint64(0):
        table.keys[slot] = stored
        table.size[0] += 1
    return slot


@allocating_kernel()
def _rehash(old: PairTable, new: PairTable) -> None:
    for i in range(len(old.keys)):
        if old.keys[i] != np.uint64(0):
            slot = _slot(new.keys, old.keys[i])
            new.keys[slot] = old.keys[i]
            new.rows[slot] = old.rows[i]
            new.marks[slot] = old.marks[i]
    new.size[0] = old.size[0]


def stored_pairs(
    table: PairTable, weights: NDArray[Number], seconds: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Number]]:
    """First index, second index and weight of the pairs whose weight (capacity,) is positive.

    Sorted by key, so that nothing depends on where the hash put them. With `seconds`, which says it
    of every second index, only those where it is true.
    """
    used = np.flatnonzero((table.keys != 0) & (weights > 0))
    if seconds is not None:
        used = used[seconds[(table.keys[used] - np.uint64(1)) & np.uint64(0xFFFFFFFF)]]
    order, first, second = _in_order(table.keys, used)
    return first, second, weights[order]


def ordered_pairs(
    table: PairTable,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Slot, first index and second index of all pairs, in the order of `stored_pairs`."""
    slots, first, second = _in_order(table.keys, np.flatnonzero(table.keys))
    return slots, first.astype(np.int32), second.astype(np.int32)


@allocating_kernel()
def _in_order(
    keys: NDArray[np.uint64], used: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The used slots (n,) in the order of their keys, and both indices of each.

    Counting sorts by the second index, then the first: indices are dense, so the cost is linear.
    """
    low = np.uint64(0xFFFFFFFF)
    firsts = np.int64(0)
    seconds = np.int64(0)
    for slot in used:
        pair = keys[slot] - np.uint64(1)
        firsts = max(firsts, np.int64(pair >> np.uint64(32)) + 1)
        seconds = max(seconds, np.int64(pair & low) + 1)
    by_first = np.zeros(firsts + 1, np.int64)
    by_second = np.zeros(seconds + 1, np.int64)
    for slot in used:
        pair = keys[slot] - np.uint64(1)
        by_first[np.int64(pair >> np.uint64(32)) + 1] += 1
        by_second[np.int64(pair & low) + 1] += 1
    for i in range(firsts):
        by_first[i + 1] += by_first[i]
    for i in range(seconds):
        by_second[i + 1] += by_second[i]
    slots = np.empty(len(used), np.int64)
    pairs = np.empty(len(used), np.uint64)
    for slot in used:
        pair = keys[slot] - np.uint64(1)
        b = np.int64(pair & low)
        place = by_second[b]
        by_second[b] += 1
        slots[place], pairs[place] = slot, pair
    order = np.empty(len(used), np.int64)
    first = np.empty(len(used), np.int64)
    second = np.empty(len(used), np.int64)
    for i in range(len(used)):
        a = np.int64(pairs[i] >> np.uint64(32))
        place = by_first[a]
        by_first[a] += 1
        order[place], first[place], second[place] = slots[i], a, np.int64(pairs[i] & low)
    return order, first, second
