"""The file of content vectors: what is read, and how what is wrong with it is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.content_file import read_content
from core.errors import InvalidDataError
from core.schema import ContentSpace

FLOATS = pa.float32()


def written(path: Path, ids: pa.Array, vectors: pa.Array) -> Path:
    pq.write_table(pa.table({"object_id": ids, "vector": vectors}), path)
    return path


def lists(rows: list[object], kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(rows, kind or pa.list_(FLOATS))


@pytest.mark.parametrize(
    "kind", [pa.list_(FLOATS, 2), pa.list_(FLOATS), pa.large_list(pa.float64())], ids=str
)
def test_lists_of_floats_are_read_and_scaled(tmp_path: Path, kind: pa.DataType) -> None:
    path = written(tmp_path / "v.parquet", pa.array(["a", "b"]), lists([[3, 4], [0, 2]], kind))
    content = read_content(path, "sound")
    assert content.space == ContentSpace("sound", 2)
    assert content.object_ids == ("a", "b")
    np.testing.assert_allclose(content.vectors, [[0.6, 0.8], [0.0, 1.0]], rtol=1e-6)


def test_many_row_groups_are_one_file(tmp_path: Path) -> None:
    ids = [f"o{i}" for i in range(100)]
    vectors = lists([[i, 1.0] for i in range(100)], pa.list_(FLOATS, 2))
    table = pa.table({"object_id": ids, "vector": vectors})
    pq.write_table(table, tmp_path / "v.parquet", row_group_size=7)
    content = read_content(tmp_path / "v.parquet", "sound")
    assert content.object_ids == tuple(ids)
    ratio = content.vectors[:, 0] / content.vectors[:, 1]
    np.testing.assert_allclose(ratio, np.arange(100), rtol=1e-5, atol=1e-6)


Bad = tuple[Callable[[], tuple[pa.Array, pa.Array]], str]
BAD: dict[str, Bad] = {
    "one is longer": (
        lambda: (pa.array(["a", "b"]), lists([[1, 2], [1, 2, 3]])),
        r"row 1, column vector: the vector has 3 numbers, that of row 0 has 2",
    ),
    "one is missing": (
        lambda: (pa.array(["a", "b"]), lists([[1, 2], None], pa.list_(FLOATS, 2))),
        r"row 1, column vector: the vector is missing",
    ),
    "a number is not finite": (
        lambda: (pa.array(["a", "b"]), lists([[1, 2], [1, float("nan")]])),
        r"row 1, column vector: .* not finite",
    ),
    "a number is missing": (
        lambda: (pa.array(["a"]), lists([[1, None]])),
        r"row 0, column vector: .* missing",
    ),
    "one is zero": (
        lambda: (pa.array(["a", "b"]), lists([[1, 2], [0, 0]])),
        r"row 1, column vector: the vector is zero",
    ),
    "they are empty": (
        lambda: (pa.array(["a"]), lists([[]])),
        r"row 0, column vector: the vector has 0 numbers",
    ),
    "they are too long": (
        lambda: (pa.array(["a"]), lists([[1] * 65])),
        r"row 0, column vector: the vector has 65 numbers.* 1 to 64",
    ),
    "they are words": (
        lambda: (pa.array(["a"]), pa.array(["1 2"])),
        r"column vector: string is no list of floats",
    ),
    "an id stands twice": (
        lambda: (pa.array(["a", "a"]), lists([[1], [2]])),
        r"row 1, column object_id: 'a' stands twice",
    ),
    "an id is empty": (
        lambda: (pa.array(["a", None]), lists([[1], [2]])),
        r"row 1, column object_id: the id is empty",
    ),
    "there are none": (
        lambda: (pa.array([], pa.string()), lists([])),
        r"there are no vectors",
    ),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_what_is_wrong_is_named_with_row_and_column(tmp_path: Path, what: str) -> None:
    columns, said = BAD[what]
    with pytest.raises(InvalidDataError, match=said) as raised:
        read_content(written(tmp_path / "v.parquet", *columns()), "sound")
    assert raised.value.where.startswith("v.parquet")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"object_id": ["a"]}), tmp_path / "v.parquet")
    with pytest.raises(InvalidDataError, match="column 'vector' is missing"):
        read_content(tmp_path / "v.parquet", "sound")


@pytest.mark.parametrize("name", ["missing.parquet", "v.csv", "junk.parquet"])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "v.csv").write_text("object_id,vector\na,1\n", encoding="utf-8")
    (tmp_path / "junk.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InvalidDataError, match="Parquet"):
        read_content(tmp_path / name, "sound")
