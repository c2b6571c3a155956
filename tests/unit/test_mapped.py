"""Rows of mapped files, read in pieces: all of them, unchanged, and soon out of memory again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from core.mapped import gather, is_mapped, pieces, release, stretches
from core.state.columns import FeatureBatch
from core.testing import random_batch, synthetic_columns

COLUMNS = synthetic_columns()


def mapped(
    array: NDArray[np.float32], path: Path, mode: Literal["r", "c"] = "r"
) -> NDArray[np.float32]:
    np.save(path, array)
    opened: NDArray[np.float32] = np.load(path, mmap_mode=mode)
    return opened


def test_pieces_are_views_of_all_rows_in_order() -> None:
    batch = random_batch(COLUMNS, 25, seed=0)
    found = list(pieces(batch, 10))
    assert [rows for rows, _ in found] == [slice(0, 10), slice(10, 20), slice(20, 25)]
    for rows, piece in found:
        assert np.shares_memory(piece.numbers, batch.numbers)
        np.testing.assert_array_equal(piece.codes, batch.codes[rows])
    assert list(pieces(batch.take(slice(0, 0)), 10)) == []


def test_an_array_in_stretches_is_the_array() -> None:
    array = np.arange(25)
    np.testing.assert_array_equal(np.concatenate(list(stretches(array, 10))), array)


@pytest.mark.parametrize("rows", [[], [3], [0, 7, 19_999], [5, 2, 5]])
def test_gathered_rows_are_the_chosen_ones(rows: list[int], tmp_path: Path) -> None:
    array = np.arange(40_000, dtype=np.float32).reshape(20_000, 2)
    chosen = np.array(rows, np.intp)
    np.testing.assert_array_equal(gather(array, chosen), array[chosen])
    np.testing.assert_array_equal(gather(mapped(array, tmp_path / "a.npy"), chosen), array[chosen])


def test_many_rows_are_gathered_into_the_place_given() -> None:
    array = np.arange(40_000, dtype=np.float32).reshape(20_000, 2)
    rows = np.arange(0, 20_000, 2)
    place = np.empty((len(rows), 2), np.float32)
    assert gather(array, rows, place) is place
    np.testing.assert_array_equal(place, array[rows])


def test_views_of_a_map_are_known_as_mapped(tmp_path: Path) -> None:
    array = np.zeros((10, 3), np.float32)
    on_disk = mapped(array, tmp_path / "a.npy")
    assert is_mapped(on_disk[2:5])
    assert is_mapped(np.asarray(on_disk)[2:5, 1:])
    assert not is_mapped(on_disk[[2, 4]])
    assert not is_mapped(array)


def test_what_was_written_into_a_private_map_is_never_dropped(tmp_path: Path) -> None:
    private = mapped(np.zeros((1000, 3), np.float32), tmp_path / "a.npy", mode="c")
    private[:] = 7.0
    release(private)
    assert (private == 7.0).all()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel what is resident")
def test_pieces_that_were_read_are_no_longer_resident(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((4096, 1024)).astype(np.float32)  # 16 MB
    numbers = mapped(whole, tmp_path / "numbers.npy")
    batch = FeatureBatch(COLUMNS, numbers, np.zeros((4096, 1), np.int32))
    assert numbers.sum() != 0.0
    assert resident_kb("numbers.npy") > 15_000
    release(numbers)
    assert resident_kb("numbers.npy") == 0
    largest, total = 0, np.zeros(1024)
    for _, piece in pieces(batch, 256):
        total += piece.numbers.sum(axis=0, dtype=np.float64)
        largest = max(largest, resident_kb("numbers.npy"))
    assert largest <= 4096  # a piece of 1 MB, and what the kernel maps around it
    assert resident_kb("numbers.npy") == 0
    np.testing.assert_allclose(total, whole.sum(axis=0, dtype=np.float64))


def resident_kb(name: str) -> int:
    """Resident kilobytes of the maps of a file."""
    total, is_of_file = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        first = line.split()[0]
        if not first.endswith(":"):
            is_of_file = line.endswith(f"/{name}")
        elif is_of_file and first == "Rss:":
            total += int(line.split()[1])
    return total
