"""The memory of object branches: exact, bounded, safe under threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.models.object_cache import ObjectCache


class Counted:
    """The true outputs, (key, 2 * key), and how many rows were asked for."""

    def __init__(self) -> None:
        self.rows = 0

    def ask(self, cache: ObjectCache, keys: NDArray[np.int64]) -> NDArray[np.float32]:
        def compute(rows: NDArray[np.intp]) -> torch.Tensor:
            self.rows += len(rows)
            return torch.from_numpy(expected(keys[rows]))

        with torch.inference_mode():
            found: NDArray[np.float32] = cache.outputs(keys, compute).numpy()
        return found


def expected(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.column_stack([keys, 2 * keys]).astype(np.float32)


def new_cache(slots: int) -> ObjectCache:
    return ObjectCache(slots, width=2, device=torch.device("cpu"))


@given(st.lists(st.lists(st.integers(-50, 50), max_size=30), max_size=8))
def test_answers_are_those_of_the_keys_however_few_slots_there_are(calls: list[list[int]]) -> None:
    cache, counted = new_cache(8), Counted()
    for call in calls:
        keys = np.array(call, np.int64)
        np.testing.assert_array_equal(counted.ask(cache, keys), expected(keys))


def test_what_is_kept_is_not_computed_again() -> None:
    cache, counted = new_cache(1 << 12), Counted()
    keys = np.array([3, 1, 4], np.int64)
    counted.ask(cache, keys)
    counted.ask(cache, keys[::-1].copy())
    assert counted.rows == 3


def test_threads_never_see_the_outputs_of_another_key() -> None:
    cache = new_cache(16)

    def run(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        draws = (rng.integers(0, 100, 20) for _ in range(200))
        return all(np.array_equal(Counted().ask(cache, k), expected(k)) for k in draws)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(4)))


def test_slots_must_be_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        new_cache(12)
