"""When the rows of KKBOX's train.csv happened: a mapped row order, or a clock.csv beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidDataError
from core.log import ClockKind, LabelRule
from core.source_table import read_exact_csv
from core.source_values import moments, numbers

FULL_ROWS = 7_377_418
"""Rows of the competition's train.csv."""
START_S, END_S = 1_471_190_400.0, 1_484_236_800.0
"""2016-08-14T16:00Z to 2017-01-12T16:00Z, midnights in Taipei: the window its rows cover."""
LABEL_RULE = LabelRule(horizon_s=30 * 86400.0)
"""target = 1 when the user plays the song again within a month of the row."""
HEADER = ("row_id", "timestamp")


@dataclass(frozen=True)
class Clock:
    """When the rows of train.csv happened.

    Attributes:
        time_s: (n,) float64.
        matures_at_s: (n,) float64 on the same clock.
        notes: how the clock came about.
        kind: mapped, or real where a file gives the times.
    """

    time_s: NDArray[np.float64]
    matures_at_s: NDArray[np.float64]
    notes: tuple[str, ...]
    kind: ClockKind


def clock_of(path: Path, n: int, label_lag_rows: int | None = None) -> Clock:
    """The clock of n rows: `clock.csv` where there is one, else the row order.

    Args:
        path: of clock.csv, which need not exist.
        n: rows of train.csv, at least 1.
        label_lag_rows: rows until a label of a piece of the file matures, at least 1; a 20th of
            the rows by default.

    Raises:
        InvalidDataError: clock.csv does not give each row one plausible time.
    """
    if label_lag_rows is not None and label_lag_rows < 1:
        raise ValueError(f"label_lag_rows is {label_lag_rows}: give at least 1")
    if path.is_file():
        time_s, notes = _given_clock(path, n)
        return Clock(time_s, time_s + LABEL_RULE.horizon_s, notes, ClockKind.REAL)
    seconds_a_row = (END_S - START_S) / max(n, FULL_ROWS)
    rows = np.arange(n, dtype=np.float64)
    time_s = START_S + rows * seconds_a_row
    if n >= FULL_ROWS:
        note = (
            "train.csv: no clock; row order was mapped linearly onto 2016-08-14T16:00Z to "
            "2017-01-12T16:00Z, labels mature after 30 days of it"
        )
        return Clock(time_s, time_s + LABEL_RULE.horizon_s, (note,), ClockKind.MAPPED)
    lag = max(1, n // 20) if label_lag_rows is None else label_lag_rows
    note = (
        f"train.csv: no clock, and {n} of {FULL_ROWS} rows; row order was mapped linearly onto "
        f"{n * seconds_a_row / 3600:.1f} hours from 2016-08-14T16:00Z (the full file's "
        f"{seconds_a_row:.3f} s a row), and labels mature after {lag} rows instead of 30 days"
    )
    # The same expression as for time_s: a label matures exactly at the row that is `lag` later.
    return Clock(time_s, START_S + (rows + lag) * seconds_a_row, (note,), ClockKind.MAPPED)


def _given_clock(path: Path, n: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    table = read_exact_csv(path, header=HEADER, columns=HEADER)
    rows = numbers(table, "row_id")
    bad = np.flatnonzero(~((rows >= 0) & (rows < n) & (rows == np.floor(rows))))
    if len(bad):
        row = int(bad[0])
        raise table.fault(row, "row_id", f"{rows[row]:g} is no row of train.csv", f"Use 0..{n - 1}")
    twice = np.flatnonzero(pd.Series(rows).duplicated())
    if len(twice):
        row = int(twice[0])
        raise table.fault(row, "row_id", f"{rows[row]:g} stands twice", "Give each row one time")
    if len(rows) != n:
        raise InvalidDataError(
            path.name, f"{len(rows)} rows for the {n} of train.csv", "Give each row one time"
        )
    when = moments(table, "timestamp", required=True)
    time_s = np.empty(n)
    time_s[rows.astype(np.int64)] = when.seconds
    zone = ("clock.csv: timestamps without a zone were taken as UTC",) if when.zone_assumed else ()
    return time_s, ("clock.csv: times of the rows, labels mature after 30 days", *zone)
