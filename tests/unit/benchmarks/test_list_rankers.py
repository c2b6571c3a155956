"""Every way to learn lists puts first what is taken; a part of the lists is whole lists."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.list_rankers import RANKERS, Rows

N_LISTS, SIZE = 120, 30


def rows(seed: int) -> Rows:
    """Lists whose three candidates with most of the first column are taken."""
    matrix = np.random.default_rng(seed).normal(size=(N_LISTS, SIZE, 4)).astype(np.float32)
    places = np.argsort(np.argsort(-matrix[:, :, 0], axis=1), axis=1)
    labels = (places < 3).astype(np.int8)
    lists = np.repeat(np.arange(N_LISTS), SIZE)
    return Rows(matrix.reshape(-1, 4), labels.ravel(), lists)


@pytest.mark.parametrize("name", RANKERS)
def test_a_ranker_puts_first_what_is_taken(name: str) -> None:
    score = RANKERS[name](rows(1), 0, 1)
    unseen = rows(2)
    first = np.argmax(score(unseen.matrix).reshape(N_LISTS, SIZE), axis=1)
    taken = unseen.labels.reshape(N_LISTS, SIZE)[np.arange(N_LISTS), first]
    assert taken.mean() > 0.8


def test_a_part_of_the_lists_is_whole_lists() -> None:
    part = rows(1).part(0.25, seed=0)
    assert 0.1 * N_LISTS < len(part.sizes) < 0.4 * N_LISTS
    assert (part.sizes == SIZE).all()
