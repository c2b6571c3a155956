"""The pair tables behave as dicts do, whatever their size."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from core.state.hashing import (
    MAX_LOAD,
    PairTable,
    find,
    find_or_add,
    grown,
    new_pair_table,
    pair_key,
    read_column,
)

INDEX = st.one_of(st.integers(0, 20), st.integers(0, 2**31 - 1))
PAIRS = st.lists(st.tuples(INDEX, INDEX), max_size=200)
bounded = settings(max_examples=100, deadline=None)


@njit(cache=True)
def count(table: PairTable, a: int, b: int) -> None:
    slot = find_or_add(table, pair_key(a, b))
    table.rows[slot, 0] += 1.0
    table.marks[slot, 0] += 1


@njit(cache=True)
def counted(table: PairTable, a: int, b: int) -> float:
    slot = find(table, pair_key(a, b))
    return float(table.rows[slot, 0]) if slot >= 0 else -1.0


@njit(cache=True)
def marked(table: PairTable, a: int, b: int) -> int:
    return int(table.marks[find(table, pair_key(a, b)), 0])


@given(PAIRS, PAIRS)
@bounded
def test_a_table_counts_pairs_as_a_dict_does_while_it_grows(
    pairs: list[tuple[int, int]], strangers: list[tuple[int, int]]
) -> None:
    table = new_pair_table(2, 1, capacity=2)
    expected: dict[tuple[int, int], int] = {}
    for pair in pairs:
        table = grown(table, 1)
        count(table, *pair)
        expected[pair] = expected.get(pair, 0) + 1
        assert table.size[0] == len(expected) <= MAX_LOAD * len(table.keys)
    for pair, n in expected.items():
        assert counted(table, *pair) == marked(table, *pair) == n
    for pair in strangers:
        assert counted(table, *pair) == expected.get(pair, -1)


@given(PAIRS)
@bounded
def test_room_asked_for_at_once_holds_what_came_before(pairs: list[tuple[int, int]]) -> None:
    table = new_pair_table(1, 1, capacity=512)
    for pair in pairs:
        count(table, *pair)
    larger = grown(table, 5000)
    assert len(larger.keys) >= 5000 / MAX_LOAD
    assert larger.size[0] == table.size[0]
    for pair in pairs:
        assert counted(larger, *pair) == counted(table, *pair)
    assert grown(larger, 0) is larger


def test_a_column_of_one_entity_is_zero_where_nothing_was_met() -> None:
    table = new_pair_table(1, 1)
    for b in (3, 5, 5):
        count(table, 7, b)
    others: NDArray[np.int32] = np.array([5, 4, 3, 0], np.int32)
    assert read_column(table, 7, others, 0).tolist() == [2, 0, 1, 0]
    assert read_column(table, 0, others, 0).tolist() == [0, 0, 0, 0]


def test_the_pair_of_zeros_is_a_pair_as_any_other() -> None:
    table = new_pair_table(1, 1)
    assert counted(table, 0, 0) == -1
    count(table, 0, 0)
    assert counted(table, 0, 0) == 1
