"""The blocks of a chronological fit: nothing overlaps, nothing is used before it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import NotEnoughDataError
from core.examples import ExampleTable
from core.log import UNKNOWN_LABEL
from core.testing import random_batch, synthetic_columns
from core.training import Blocks, Recipe, cut_blocks

COLUMNS = synthetic_columns(numbers=1)
bounded = settings(max_examples=60, deadline=None)


def table_of(
    position: NDArray[np.float64],
    matures: NDArray[np.float64],
    labels: NDArray[np.int8] | None = None,
) -> ExampleTable:
    n = len(position)
    return ExampleTable(
        features=random_batch(COLUMNS, n, seed=0),
        labels=np.arange(n).astype(np.int8) % 2 if labels is None else labels,
        position=position,
        matures_position=matures,
        row=np.arange(n),
        user=np.zeros(n, np.int32),
        object=np.zeros(n, np.int32),
    )


@st.composite
def tables(draw: st.DrawFn) -> ExampleTable:
    """Up to 300 rows in or out of position order, with lags from none to beyond the log."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(40, 300))
    position = np.arange(n) / n
    if draw(st.booleans()):  # a split by user: positions do not follow the log
        position = rng.integers(0, n, n) / n
    if draw(st.booleans()):  # whole baskets share a position
        position = np.floor(position * n / 7) * 7 / n
    lag = draw(st.sampled_from([0.0, 1 / n, 0.05, 0.3]))
    matures = position + lag * rng.integers(0, 3, n)
    matures[rng.random(n) < draw(st.sampled_from([0.0, 0.2]))] = 2.0
    labels = rng.integers(0, 2, n).astype(np.int8)
    labels[rng.random(n) < draw(st.sampled_from([0.0, 0.2]))] = UNKNOWN_LABEL
    return table_of(position, matures, labels)


def cut(table: ExampleTable, until: float) -> Blocks:
    try:
        return cut_blocks(table, until, Recipe(min_rows=1))
    except NotEnoughDataError:
        assume(False)
        raise


@given(tables(), st.sampled_from([0.5, 0.8, 1.0]))
@bounded
def test_the_stack_never_sees_a_row_that_its_members_trained_on(
    table: ExampleTable, until: float
) -> None:
    blocks = cut(table, until)
    assert not (blocks.stack & blocks.before_stack).any()
    assert not (blocks.tune & blocks.train).any()
    assert not (blocks.tune & blocks.stack).any()
    assert not (blocks.train & ~blocks.before_stack).any()


@given(tables(), st.sampled_from([0.5, 0.8, 1.0]))
@bounded
def test_each_fit_knows_only_labels_that_matured_before_the_next_block_begins(
    table: ExampleTable, until: float
) -> None:
    blocks = cut(table, until)
    fits = [
        (blocks.train, table.position[blocks.tune].min()),
        (blocks.before_stack, table.position[blocks.stack].min()),
        (blocks.tune, until),
        (blocks.stack, until),
        (blocks.all, until),
    ]
    for rows, next_begin in fits:
        assert (table.labels[rows] != UNKNOWN_LABEL).all()
        assert (table.matures_position[rows] <= next_begin).all()


@given(tables(), st.sampled_from([0.5, 0.8, 1.0]), st.integers(0, 2**32 - 1))
@bounded
def test_what_is_not_known_at_the_moment_of_a_run_changes_none_of_its_blocks(
    table: ExampleTable, until: float, seed: int
) -> None:
    blocks = cut(table, until)
    rng = np.random.default_rng(seed)
    later = table.matures_position > until
    labels = table.labels.copy()
    labels[later] = rng.integers(-1, 2, later.sum())
    position = table.position.copy()
    position[later] = rng.random(later.sum())
    changed = cut(table_of(position, table.matures_position, labels), until)
    for name in ("train", "tune", "before_stack", "stack", "all"):
        assert np.array_equal(getattr(changed, name), getattr(blocks, name))


@given(tables())
@bounded
def test_a_run_at_the_begin_of_the_test_block_takes_no_row_of_it(table: ExampleTable) -> None:
    recipe = Recipe()
    blocks = cut(table, recipe.test_start)
    in_test = table.position >= recipe.test_start
    instant = in_test & (table.matures_position == recipe.test_start)
    assert not (blocks.all & in_test & ~instant).any()


def fifteenths(min_rows: int) -> Recipe:
    """Tune and stack take 15 % each."""
    return Recipe(min_rows=min_rows, tune_share=0.15, stack_share=0.15)


def test_a_log_that_asks_for_blocks_of_users_gets_them_and_waits_before_the_test_block() -> None:
    position = np.arange(100) / 100
    user = np.random.default_rng(1).integers(0, 20, 100).astype(np.int32)
    table = replace(table_of(position, position + 0.305), inner_by_user=True, user=user)
    blocks = cut_blocks(table, 0.8, fifteenths(min_rows=3))
    # Usable are rows 0 to 49: their labels are known at 80.
    assert np.flatnonzero(blocks.all).tolist() == list(range(50))
    whole = [blocks.train, blocks.tune, blocks.stack]
    assert np.array_equal(np.sum(whole, axis=0), blocks.all)
    users = [user for block in whole for user in set(table.user[block].tolist())]
    assert len(users) == len(set(users))
    assert (blocks.before_stack == (blocks.train | blocks.tune)).all()
    for block in (blocks.tune, blocks.stack):  # 15 % of 50 rows, less or more by a user's
        assert 3 <= block.sum() <= 12


def test_shares_are_of_the_usable_rows_and_the_gap_of_open_labels_is_left_out() -> None:
    position = np.arange(100) / 100
    blocks = cut_blocks(table_of(position, position + 0.105), 1.0, fifteenths(min_rows=1))
    # Usable are rows 0 to 89. 70 % of the way lies at 62.3, 85 % at 75.65; labels take 10.5.
    assert np.flatnonzero(blocks.train).tolist() == list(range(52))
    assert np.flatnonzero(blocks.tune).tolist() == list(range(63, 76))
    assert np.flatnonzero(blocks.before_stack).tolist() == list(range(66))
    assert np.flatnonzero(blocks.stack).tolist() == list(range(76, 90))
    assert np.flatnonzero(blocks.all).tolist() == list(range(90))
    assert blocks.sizes() == {
        "train": 52,
        "tune": 13,
        "refit before stack": 66,
        "stack": 14,
        "refit": 90,
    }


def test_lists_of_one_moment_are_never_cut_the_last_are_the_stack_those_before_it_tune() -> None:
    position = np.repeat([0.2, 0.4, 0.6, 0.8], 25)
    blocks = cut_blocks(table_of(position, position + 0.15), 1.0, Recipe(min_rows=1))
    assert np.unique(position[blocks.stack]).tolist() == [0.8]
    assert np.unique(position[blocks.tune]).tolist() == [0.6]
    assert np.unique(position[blocks.before_stack]).tolist() == [0.2, 0.4, 0.6]
    assert np.unique(position[blocks.train]).tolist() == [0.2, 0.4]
    assert blocks.all.all()


def test_too_short_blocks_are_named_with_their_rows() -> None:
    position = np.arange(100) / 100
    table = table_of(position, position + 0.105)
    with pytest.raises(NotEnoughDataError) as caught:
        cut_blocks(table, 1.0, fifteenths(min_rows=50))
    message = str(caught.value)
    assert "tune 13" in message
    assert "stack 14" in message
    assert "at least 50" in message
    assert "refit" not in message
    assert "longer log" in message


def test_a_log_whose_labels_are_all_open_is_refused() -> None:
    position = np.arange(10) / 10
    with pytest.raises(NotEnoughDataError, match=r"no label has matured.*horizon"):
        cut_blocks(table_of(position, np.full(10, 2.0)), 1.0, Recipe(min_rows=1))
