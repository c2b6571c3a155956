"""What `build_log` does to single columns: codes, dense indices, entity tables, positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidDataError
from core.schema import Field, Kind

Texts = NDArray[np.generic]
"""An object array of str; equal values share one object, so a long column costs a pointer a row."""


def coded(column: pd.Series) -> tuple[NDArray[np.int64], Texts]:
    """Codes (n,) and the distinct values as str; -1 codes an absent value."""
    codes, uniques = pd.factorize(column)
    return codes.astype(np.int64), _as_str(uniques)


def texts(column: pd.Series | None, n: int) -> Texts:
    """The column as (n,) str, '' where absent or where there is no column."""
    if column is None:
        return np.full(n, "", dtype=object)
    codes, uniques = coded(column)
    taken: Texts = np.append(uniques, "")[codes]
    return taken


def distinct_texts(column: pd.Series) -> Texts:
    """As `texts` for a column whose values hardly repeat: coding them would cost more."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return texts(column, len(column))
    values = column.to_numpy(object)
    return _as_str(np.where(pd.isna(values), "", values))


def _as_str(values: pd.Index | pd.Categorical | Texts) -> Texts:
    plain = np.asarray(values, dtype=object).tolist()
    as_str: Texts = np.empty(len(plain), dtype=object)
    as_str[:] = [value if type(value) is str else str(value) for value in plain]
    return as_str


Value = TypeVar("Value", bound=np.generic)


def given(events: pd.DataFrame, name: str, default: NDArray[Value]) -> NDArray[Value]:
    """The column in the type of the default, or the default where there is no such column."""
    return events[name].to_numpy(default.dtype) if name in events else default


def check_events(events: pd.DataFrame, where: str) -> None:
    """InvalidDataError for missing columns, no rows, empty ids, times or labels out of range.

    Rows are named as lines of a CSV file with one header line, in the order given.
    """
    for column in ("user_id", "object_id", "time_s"):
        if column not in events:
            raise InvalidDataError(
                where, f"column {column!r} is missing, found {list(events.columns)}", "Add it"
            )
    if events.empty:
        raise InvalidDataError(where, "there are no events", "Give a log with at least one row")
    for column in ("user_id", "object_id"):
        codes, uniques = coded(events[column])
        empty = np.append(np.flatnonzero(uniques == ""), -1)
        _refuse(np.isin(codes, empty), where, f"{column} is empty", "Every event needs both ids")
    for column in ("time_s", "user_time_s", "matures_at_s"):
        if column in events:
            bad = ~np.isfinite(events[column].to_numpy(np.float64))
            problem = f"{column} is not a finite number"
            _refuse(bad, where, problem, "Mend or drop the row")
    if "label" in events:
        bad = ~events["label"].isin([-1, 0, 1]).to_numpy(bool)
        _refuse(bad, where, "the label is neither 0 nor 1", "Labels are 0 or 1")


def _refuse(bad: NDArray[np.bool_], where: str, problem: str, remedy: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise InvalidDataError(f"{where}:{rows[0] + 2}", problem, remedy)


def entity_table(
    table: pd.DataFrame, key: str, fields: Sequence[Field], seen: pd.Series, where: str
) -> tuple[tuple[str, ...], dict[str, Texts], tuple[str, ...], NDArray[np.int32]]:
    """The table's rows, then the ids seen only in events in order of their first event.

    Args:
        table: `key` plus any of `fields`, optionally `title`.
        key: name of the id column.
        fields: the columns that count; absent ones are filled with '' or NaN.
        seen: (n,) the events' ids, in log order.
        where: name of the entity file, for errors.

    Returns:
        ids, columns by field name, titles, and the (n,) index of each event's id.

    Raises:
        InvalidDataError: the key is missing, empty or stands twice.
    """
    if key not in table:
        raise InvalidDataError(
            where, f"column {key!r} is missing, found {list(table.columns)}", "Add it"
        )
    names = distinct_texts(table[key])
    _refuse(names == "", where, f"{key} is empty", "Every row needs its id")
    index = pd.Index(names, dtype=object)
    if not index.is_unique:
        twice = np.flatnonzero(index.duplicated())
        raise InvalidDataError(
            f"{where}:{twice[0] + 2}",
            f"{key} {names[twice[0]]!r} stands twice",
            "Keep one row for each",
        )
    codes, uniques = coded(seen)
    place = index.get_indexer(pd.Index(uniques, dtype=object))
    # factorize numbers values by first appearance, so these are in the order of the log.
    extra = np.flatnonzero(place < 0)
    place[extra] = len(names) + np.arange(len(extra))
    known = table.reset_index(drop=True)
    columns = {f.name: _filled(known.get(f.name), f.kind, len(names), len(extra)) for f in fields}
    titles = _filled(known.get("title"), Kind.CATEGORY, len(names), len(extra))
    ids = (*names.tolist(), *uniques[extra].tolist())
    return ids, columns, tuple(titles.tolist()), place[codes].astype(np.int32)


def _filled(column: pd.Series | None, kind: Kind, known: int, extra: int) -> Texts:
    if kind in (Kind.CATEGORY, Kind.CATEGORY_SET):
        known_texts = texts(None, known) if column is None else distinct_texts(column)
        return np.append(known_texts, texts(None, extra))
    given = np.full(known, np.nan) if column is None else column.to_numpy(np.float64)
    return np.append(given, np.full(extra, np.nan))


def first_of_pair(
    user_index: NDArray[np.int32],
    object_index: NDArray[np.int32],
    counts: NDArray[np.bool_],
    n_objects: int,
) -> NDArray[np.bool_]:
    """(n,) bool: the first event of its (user, object) among those that count."""
    rows = np.flatnonzero(counts)
    pair = user_index[rows].astype(np.int64) * n_objects + object_index[rows]
    first = np.zeros(len(user_index), bool)
    first[rows[~pd.Series(pair).duplicated().to_numpy(bool)]] = True
    return first


def positions(
    ranked: NDArray[np.bool_], time_s: NDArray[np.float64], matures_at_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rank among the `ranked` events ÷ their number, and the rank at which the label is known.

    The first ranked event after the moment of maturity tells the latter: a return at that very
    moment still counts, so events that share it do not know the label. Labels that mature after
    the log's last event are not known within it: 2, beyond every block.
    """
    count = max(int(ranked.sum()), 1)
    position = np.full(len(time_s), np.nan)
    position[ranked] = np.arange(ranked.sum()) / count
    rank = np.searchsorted(time_s[ranked], matures_at_s, side="right")
    return position, np.where(matures_at_s > time_s[-1], 2.0, rank / count)


def maturity_positions(
    position: NDArray[np.float64], time_s: NDArray[np.float64], matures_at_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """As `positions` where the places are given: (n,) positions at which the labels are known.

    1 where a label matures within the log but after its last placed event. Events may come in any
    order; `position` is NaN for those without a place.
    """
    placed = np.flatnonzero(~np.isnan(position))
    placed = placed[np.argsort(time_s[placed], kind="stable")]
    after = np.append(position[placed], 1.0)
    found = after[np.searchsorted(time_s[placed], matures_at_s, side="right")]
    return np.where(matures_at_s > time_s.max(), 2.0, found)
