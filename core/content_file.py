"""Content vectors from a Parquet file: `object_id` and `vector`, one row an object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.content import ContentVectors, unit_vectors
from core.errors import InvalidDataError
from core.schema import MAX_CONTENT_SIZE
from core.source_table import SourceTable, read_table
from core.source_values import unique_ids

_COLUMN = "vector"


def read_content(path: Path, name: str) -> ContentVectors:
    """Read vectors and scale them to unit length; `name` says what they are made from.

    Raises:
        InvalidDataError: no Parquet file, no rows, an id that is empty or stands twice, a vector
            that is missing, zero, not finite, longer than MAX_CONTENT_SIZE or not as long as the
            first. Names the row and the column.
    """
    if path.suffix != ".parquet":
        raise InvalidDataError(
            str(path), "content vectors are read from Parquet", "Give a file that ends in .parquet"
        )
    table = read_table(path, required=("object_id", _COLUMN))
    if not len(table):
        raise InvalidDataError(path.name, "there are no vectors", "Give at least one row")
    ids = [str(object_id) for object_id in unique_ids(table, "object_id")]
    return unit_vectors(name, ids, _vectors(table))


def _vectors(table: SourceTable) -> NDArray[np.float64]:
    """(n, size) finite rows that are not zero."""
    lists = _lists(table)
    missing = ~np.asarray(lists.is_valid())
    _refuse(table, missing, "the vector is missing", "Leave out objects without one")
    lengths = np.asarray(pc.list_value_length(lists))
    size = int(lengths[0])
    if not 1 <= size <= MAX_CONTENT_SIZE:
        problem = f"the vector has {size} numbers"
        raise table.fault(0, _COLUMN, problem, f"Vectors have 1 to {MAX_CONTENT_SIZE}")
    others = np.flatnonzero(lengths != size)
    if len(others):
        row = int(others[0])
        problem = f"the vector has {lengths[row]} numbers, that of row 0 has {size}"
        raise table.fault(row, _COLUMN, problem, "All vectors are of one length")
    values = lists.flatten().cast(pa.float64()).fill_null(np.nan)
    vectors = np.asarray(values, dtype=np.float64).reshape(-1, size)
    bad = ~np.asarray(np.isfinite(vectors).all(axis=1))
    problem = "the vector holds a number that is missing or not finite"
    _refuse(table, bad, problem, "Mend it, or leave the object out")
    is_zero = ~np.asarray(vectors.any(axis=1))
    _refuse(table, is_zero, "the vector is zero", "Leave out objects without one")
    return vectors


def _lists(table: SourceTable) -> pa.Array:
    """The column as one array of lists of floats."""
    column = table.rows.column(_COLUMN)
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    is_list = is_list or pa.types.is_fixed_size_list(kind)
    if not (is_list and pa.types.is_floating(kind.value_type)):
        problem = f"{kind} is no list of floats"
        raise table.fault(0, _COLUMN, problem, "Write a fixed-size list of float32")
    return pa.concat_arrays(column.chunks)


def _refuse(table: SourceTable, bad: NDArray[np.bool_], problem: str, remedy: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise table.fault(int(rows[0]), _COLUMN, problem, remedy)
