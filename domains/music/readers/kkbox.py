"""KKBOX CSV files (WSDM Cup 2018): train, members, songs and song_extra_info."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidDataError
from core.log import EventLog, TieRule, build_log
from core.source_table import SourceTable, check_header, read_exact_csv
from core.source_values import categories, ids, numbers, texts, unique_ids
from domains.music.catalogue import parse_catalogue
from domains.music.readers.kkbox_clock import LABEL_RULE, Clock, clock_of
from domains.music.schema import SCHEMA

OLDEST = 75
"""Ages from here on, and from 0 down, are not believed."""

HEADERS = {
    "train.csv": (
        ["msno", "song_id", "source_system_tab", "source_screen_name", "source_type", "target"]
    ),
    "test.csv": ["id", "msno", "song_id", "source_system_tab", "source_screen_name", "source_type"],
    "members.csv": (
        [
            "msno",
            "city",
            "bd",
            "gender",
            "registered_via",
            "registration_init_time",
            "expiration_date",
        ]
    ),
    "songs.csv": [
        "song_id",
        "song_length",
        "genre_ids",
        "artist_name",
        "composer",
        "lyricist",
        "language",
    ],
    "song_extra_info.csv": ["song_id", "name", "isrc"],
}
CONTEXT = {
    "source_tab": "source_system_tab",
    "source_screen": "source_screen_name",
    "source_type": "source_type",
}
"""Field of the schema -> column of train.csv."""

Columns = dict[str, pd.Categorical | NDArray[np.generic]]


def matches(directory: Path) -> bool:
    """Whether the directory holds the competition's files."""
    return all((directory / name).is_file() for name in ("train.csv", "members.csv"))


def read(directory: Path, /, *, label_lag_rows: int | None = None) -> EventLog:
    """The log of train.csv with what members, songs and song_extra_info know.

    Every row is an example with label `target`. KKBOX has no clock: row order is mapped linearly
    onto the window of the full file, so a piece of it spans its share of hours and its labels
    mature after `label_lag_rows` rows (a 20th of the rows by default) instead of 30 days. A
    `clock.csv` (row_id, timestamp) replaces the map where there is one. Rows of test.csv enter
    nothing; `expiration_date` comes from a later snapshot and is never read.

    Args:
        directory: holds train.csv; the other files may be missing or lack rows.
        label_lag_rows: for a piece of the file without clock.csv, at least 1.

    Raises:
        InvalidDataError: naming file, line and column at fault.
    """
    train = read_exact_csv(
        directory / "train.csv",
        header=HEADERS["train.csv"],
        columns=HEADERS["train.csv"],
    )
    if not len(train):
        raise InvalidDataError("train.csv", "there are no events", "Give at least one row")
    notes: list[str] = []
    if (directory / "test.csv").is_file():
        check_header(directory / "test.csv", HEADERS["test.csv"])
        notes.append("test.csv: has no labels, its rows enter nothing")
    clock = clock_of(directory / "clock.csv", len(train), label_lag_rows)
    latest_year = datetime.fromtimestamp(float(clock.time_s.min()), UTC).year
    return build_log(
        "music",
        SCHEMA,
        _events(train, clock),
        users=_users(directory / "members.csv", notes),
        objects=_objects(directory, latest_year, notes),
        label_rule=LABEL_RULE,
        tie_rule=TieRule.ROW,
        where="train.csv",
        clock=clock.kind,
        notes=(*clock.notes, *notes),
    )


def _events(train: SourceTable, clock: Clock) -> pd.DataFrame:
    target = categories(train, "target")
    bad = np.flatnonzero(~np.asarray(target.isin(["0", "1"])))
    if len(bad):
        row = int(bad[0])
        raise train.fault(row, "target", f"the label is {target[row]!r:.60}", "Labels are 0 or 1")
    events = pd.DataFrame({"user_id": ids(train, "msno"), "object_id": ids(train, "song_id")})
    for name, column in CONTEXT.items():
        events[name] = categories(train, column)
    events["time_s"] = clock.time_s
    events["matures_at_s"] = clock.matures_at_s
    events["label"] = np.asarray(target == "1").astype(np.int8)
    events["is_example"] = True
    return events


def _users(path: Path, notes: list[str]) -> pd.DataFrame:
    if not path.is_file():
        notes.append("members.csv: missing, users have no attributes")
        return pd.DataFrame({"user_id": pd.Series([], dtype=object)})
    columns = ("msno", "city", "bd", "gender", "registered_via", "registration_init_time")
    table = read_exact_csv(path, header=HEADERS[path.name], columns=columns)
    notes.append("members.csv: expiration_date is from a later snapshot and was not read")
    notes.append("members.csv: registration days were taken as midnights UTC")
    age = numbers(table, "bd")
    users: Columns = {
        "user_id": unique_ids(table, "msno"),
        "city": categories(table, "city"),
        "gender": categories(table, "gender"),
        "registered_via": categories(table, "registered_via"),
        "age": np.where((age > 0) & (age < OLDEST), age, np.nan),
        "registered_at": _days(table, "registration_init_time"),
    }
    return pd.DataFrame(users)


def _days(table: SourceTable, column: str) -> NDArray[np.float64]:
    """Days written yyyymmdd as epoch seconds at midnight UTC, NaN where empty."""
    days = categories(table, column)
    written = pd.Series(days.categories, dtype="str")
    parsed = pd.to_datetime(written, format="%Y%m%d", errors="coerce")
    bad = np.flatnonzero((parsed.isna() & (written != "")).to_numpy(bool)[days.codes])
    if len(bad):
        row = int(bad[0])
        raise table.fault(row, column, f"{days[row]!r:.60} is no day", "Write days as yyyymmdd")
    seconds = parsed.to_numpy("datetime64[s]").astype(np.float64)
    taken: NDArray[np.float64] = np.where(parsed.isna(), np.nan, seconds)[days.codes]
    return taken


def _objects(directory: Path, latest_year: int, notes: list[str]) -> pd.DataFrame:
    """Songs of songs.csv, then those that only song_extra_info.csv knows."""
    songs = _songs(directory / "songs.csv", notes)
    extra = _extra(directory / "song_extra_info.csv", notes)
    songs, extra = songs.set_index("object_id"), extra.set_index("object_id")
    known = songs.index.append(extra.index.difference(songs.index, sort=False))
    joined = songs.reindex(known).join(extra.reindex(known))
    return parse_catalogue(joined.rename_axis("object_id").reset_index(), latest_year)


def _songs(path: Path, notes: list[str]) -> pd.DataFrame:
    if not path.is_file():
        notes.append("songs.csv: missing, songs have no attributes")
        return _no_rows("genres", "artist", "composer", "lyricist", "language", "length_s")
    header = HEADERS[path.name]
    table = read_exact_csv(path, header=header, columns=header)
    length_ms = numbers(table, "song_length")
    songs: Columns = {
        "object_id": unique_ids(table, "song_id"),
        "genres": categories(table, "genre_ids"),
        "artist": categories(table, "artist_name"),
        "composer": categories(table, "composer"),
        "lyricist": categories(table, "lyricist"),
        "language": _codes_as_integers(categories(table, "language")),
        "length_s": np.where(length_ms > 0, length_ms / 1000, np.nan),
    }
    return pd.DataFrame(songs)


def _extra(path: Path, notes: list[str]) -> pd.DataFrame:
    if not path.is_file():
        notes.append("song_extra_info.csv: missing, songs have no titles and no ISRC")
        return _no_rows("title", "isrc")
    header = HEADERS[path.name]
    table = read_exact_csv(path, header=header, columns=header)
    extra: Columns = {
        "object_id": unique_ids(table, "song_id"),
        "title": texts(table, "name"),
        "isrc": texts(table, "isrc"),
    }
    return pd.DataFrame(extra)


def _codes_as_integers(values: pd.Categorical) -> pd.Categorical:
    """The published songs.csv writes some codes as `52.0`."""
    plain = pd.Series(values.categories, dtype="str").str.removesuffix(".0")
    codes, uniques = pd.factorize(plain)
    return pd.Categorical.from_codes(codes[values.codes], categories=pd.Index(uniques))


def _no_rows(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([], dtype=object) for name in ("object_id", *columns)})
