"""The order of an epoch: every row once, shuffled, from few places of the disk at a time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mapped import is_mapped
from core.models import Examples, NetSettings, net_training
from core.models.net_training import masked_batches
from core.models.row_order import row_pools
from core.scratch import Scratch, copy_rows
from core.testing import number, random_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns()
SETTINGS = NetSettings(batch_norm=False, epoch_steps=8)


@given(
    n_rows=st.integers(1, 500),
    stretch=st.integers(1, 40),
    stretches=st.integers(1, 8),
    seed=st.integers(0, 3),
)
def test_pools_hold_every_row_once_and_no_more_than_they_may(
    n_rows: int, stretch: int, stretches: int, seed: int
) -> None:
    limit = stretch * stretches
    rng = np.random.default_rng(seed)
    pools = list(row_pools(n_rows, rng, pool_rows=limit, stretch_rows=stretch))
    assert sorted(np.concatenate(pools).tolist()) == list(range(n_rows))
    for pool in pools:
        assert len(pool) <= limit
        assert (np.diff(pool) > 0).all()
        assert np.count_nonzero(np.diff(pool) > 1) < stretches


def test_a_pool_takes_its_stretches_from_all_over_the_log() -> None:
    rng = np.random.default_rng(0)
    pools = list(row_pools(10_000, rng, pool_rows=2000, stretch_rows=10))
    assert len(pools) == 5
    for pool in pools:
        assert 4000 < pool.mean() < 6000


def test_a_log_of_one_pool_draws_nothing() -> None:
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    (pool,) = row_pools(100, rng, pool_rows=100)
    assert pool.tolist() == list(range(100))
    assert rng.random() == untouched.random()


@pytest.mark.parametrize("pool_rows", [64, 1000])
def test_batches_from_disk_are_those_from_memory(
    pool_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        net_training, "row_pools", partial(row_pools, pool_rows=pool_rows, stretch_rows=16)
    )
    batch = random_batch(COLUMNS, 1000, seed=0)
    train = with_labels(batch, 2.0 * number(batch, "user_0"), seed=0)
    rows = np.arange(len(train))
    on_disk = copy_rows(train.features, rows, Scratch(tmp_path, in_memory_bytes=0))
    assert is_mapped(on_disk.numbers)
    told = [
        list(masked_batches(examples, SETTINGS, seed=0, epoch=1))
        for examples in (train, Examples(on_disk, train.labels))
    ]
    assert len(told[0]) == len(told[1]) >= 8
    for memory, disk in zip(*told, strict=True):
        np.testing.assert_array_equal(memory.features.numbers, disk.features.numbers)
        np.testing.assert_array_equal(memory.features.codes, disk.features.codes)
        np.testing.assert_array_equal(memory.labels, disk.labels)
