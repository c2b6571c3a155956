"""Columns of a `SourceTable` as checked arrays: ids, categories, numbers and moments."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.source_table import SourceTable

LATEST_S = 253402300800.0
"""The year 10000: an epoch beyond it was meant in another unit."""

LONGEST_ID = 1024
"""Characters of an id; a longer one is two rows that a stray quote has glued together, or junk."""

ZONE = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
"""How a moment in ISO 8601 ends when it names its zone."""


@dataclass(frozen=True)
class Moments:
    """A column of moments.

    Attributes:
        seconds: (n,) float64 since 1970 in UTC, NaN absent.
        zone_assumed: a value named no zone, so UTC was taken.
    """

    seconds: NDArray[np.float64]
    zone_assumed: bool = False


def categories(table: SourceTable, column: str) -> pd.Categorical:
    """The values as strings, '' absent; numbers that are whole lose their `.0`.

    Returns:
        Categorical of n strings with no missing value.
    """
    try:
        codes, distinct = _coded(table.rows.column(column))
        spelled = _spelled(distinct)
    except pa.ArrowException as error:
        kind = table.rows.schema.field(column).type
        raise table.fault(0, column, f"{kind} is no text", "Write strings") from error
    if spelled.null_count:
        codes = np.where(np.isin(codes, np.flatnonzero(spelled.is_null())), -1, codes)
    values = np.append(spelled.fill_null("").to_numpy(zero_copy_only=False).astype(object), "")
    # Distinct numbers may read the same as text, and absent must be the empty string's own code.
    merged, uniques = pd.factorize(values)
    return pd.Categorical.from_codes(merged[codes], categories=pd.Index(uniques, dtype=object))


def ids(table: SourceTable, column: str) -> pd.Categorical:
    """The ids as strings.

    Raises:
        InvalidDataError: an id is empty or longer than `LONGEST_ID`, or the column holds floats
            (`123.0` is nobody's id).
    """
    _check_id_type(table, column)
    values = categories(table, column)
    _check_ids(table, column, values.categories.to_numpy(object), np.asarray(values.codes))
    return values


def unique_ids(table: SourceTable, column: str) -> NDArray[np.generic]:
    """As `ids`, for a table with one row for each: (n,) str.

    Raises:
        InvalidDataError: as `ids`, and where an id stands twice.
    """
    _check_id_type(table, column)
    values = texts(table, column)
    _check_ids(table, column, values, np.arange(len(values)))
    index = pd.Index(values, dtype=object)
    if not index.is_unique:
        row = int(np.flatnonzero(index.duplicated())[0])
        raise table.fault(row, column, f"{values[row]!r:.60} stands twice", "Keep one row for each")
    return values


def texts(table: SourceTable, column: str) -> NDArray[np.generic]:
    """As `categories` for values that hardly repeat: (n,) str."""
    values = table.rows.column(column)
    if not _is_text(values.type):
        coded = categories(table, column)
        taken: NDArray[np.generic] = coded.categories.to_numpy(object)[coded.codes]
        return taken
    return np.asarray(values.fill_null("").to_numpy(zero_copy_only=False), dtype=object)


def numbers(table: SourceTable, column: str) -> NDArray[np.float64]:
    """The values as (n,) float64, NaN where the field is empty.

    Raises:
        InvalidDataError: a text is not a number, or is NaN or infinite.
    """
    values = table.rows.column(column)
    if _is_text(_value_type(values)):
        given = _present_texts(values)
        floats = _to_floats(given)
        _refuse(table, column, given, ~np.isfinite(floats) & _given(given), "is not a number")
        return floats
    floats = _as_floats(table, column, values)
    infinite = np.flatnonzero(np.isinf(floats))
    if len(infinite):
        raise table.fault(int(infinite[0]), column, "the number is infinite", "Mend or drop it")
    return floats


def moments(table: SourceTable, column: str, *, required: bool) -> Moments:
    """Epoch seconds or ISO 8601 as epoch seconds; a moment without a zone is taken as UTC.

    Raises:
        InvalidDataError: a value is neither, is negative, not finite or too far in the future, or
            is empty though `required`.
    """
    values = table.rows.column(column)
    kind = _value_type(values)
    zone_assumed = False
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone_assumed = pa.types.is_date(kind) or kind.tz is None
        micros = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        seconds = _floats(micros.cast(pa.float64(), safe=False)) / 1e6
    elif _is_text(kind):
        given = _present_texts(values)
        seconds, zone_assumed = _parse_moments(given)
        bad = ~np.isfinite(seconds) & _given(given)
        _refuse(table, column, given, bad, "is neither epoch seconds nor ISO 8601")
    else:
        seconds = _as_floats(table, column, values)
    _check_range(table, column, seconds)
    absent = np.flatnonzero(np.isnan(seconds))
    if required and len(absent):
        raise table.fault(
            int(absent[0]), column, "the time is missing", "Every row needs a finite time"
        )
    return Moments(seconds, zone_assumed)


def _check_id_type(table: SourceTable, column: str) -> None:
    kind = _value_type(table.rows.column(column))
    if not (_is_text(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise table.fault(0, column, f"ids are of type {kind}", "Write ids as strings")


def _check_ids(
    table: SourceTable, column: str, distinct: NDArray[np.generic], codes: NDArray[np.int64]
) -> None:
    lengths = np.fromiter(map(len, distinct), np.int64, len(distinct))
    rows = np.flatnonzero(np.isin(codes, np.flatnonzero((lengths == 0) | (lengths > LONGEST_ID))))
    if len(rows):
        row = int(rows[0])
        length = lengths[codes[row]]
        problem = f"the id has {length} characters" if length else "the id is empty"
        raise table.fault(row, column, problem, f"Ids have 1 to {LONGEST_ID} characters")


def _check_range(table: SourceTable, column: str, seconds: NDArray[np.float64]) -> None:
    wrong = np.flatnonzero((seconds < 0) | (seconds >= LATEST_S))
    if len(wrong):
        row = int(wrong[0])
        raise table.fault(
            row,
            column,
            f"{seconds[row]:.15g} seconds since 1970 is not a plausible time",
            "Give seconds, not milliseconds, from 1970 on",
        )


def _parse_moments(texts: pa.ChunkedArray) -> tuple[NDArray[np.float64], bool]:
    seconds = _to_floats(texts)
    worded = np.flatnonzero(~np.isfinite(seconds) & _given(texts))
    if not len(worded):
        return seconds, False
    words = texts.take(pa.array(worded)).to_pandas()
    # pandas reads "now" and "today" as the wall clock.
    dated = words.where(words.str.match(r"\d"))
    parsed = pd.to_datetime(dated, format="ISO8601", utc=True, errors="coerce")
    micros = parsed.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    seconds[worded] = np.where(parsed.isna(), np.nan, micros)
    named = words.str.contains(re.compile(ZONE), regex=True)
    return seconds, bool((~named & parsed.notna()).any())


def _coded(values: pa.ChunkedArray) -> tuple[NDArray[np.int64], pa.Array]:
    """Codes (n,), -1 for null, and the distinct values."""
    dictionary = pa.types.is_dictionary(values.type)
    chunks = (values.unify_dictionaries() if dictionary else values.dictionary_encode()).chunks
    if not chunks:
        return np.empty(0, np.int64), pa.array([], pa.string())
    # All chunks share one dictionary now; combining them would compare it once for each.
    codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(codes).astype(np.int64), chunks[0].dictionary


def _spelled(values: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type):
        floats = values.to_numpy(zero_copy_only=False)
        words = [None if np.isnan(v) else str(int(v)) if v == int(v) else repr(v) for v in floats]
        return pa.array(words, pa.string())
    return values.cast(pa.string())


def _value_type(values: pa.ChunkedArray) -> pa.DataType:
    return values.type.value_type if pa.types.is_dictionary(values.type) else values.type


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _present_texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trimmed texts, null where empty."""
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _given(texts: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(texts.is_valid().to_numpy(), dtype=bool)


def _to_floats(texts: pa.ChunkedArray) -> NDArray[np.float64]:
    try:
        return _floats(texts.cast(pa.float64()))
    except pa.ArrowInvalid:
        return np.array(pd.to_numeric(texts.to_pandas(), errors="coerce"), dtype=np.float64)


def _as_floats(table: SourceTable, column: str, values: pa.ChunkedArray) -> NDArray[np.float64]:
    try:
        return _floats(values.cast(pa.float64()))
    except pa.ArrowException as error:
        problem = f"{values.type} is neither number nor text"
        raise table.fault(0, column, problem, "Write numbers") from error


def _floats(values: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.array(values.fill_null(np.nan).to_numpy(), dtype=np.float64)


def _refuse(
    table: SourceTable, column: str, texts: pa.ChunkedArray, bad: NDArray[np.bool_], problem: str
) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        row = int(rows[0])
        raise table.fault(
            row, column, f"{texts[row].as_py()!r:.60} {problem}", "Mend or drop the row"
        )
