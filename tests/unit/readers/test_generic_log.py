"""The generic log of any domain, as CSV and as Parquet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InvalidDataError
from core.generic_log import GenericLog
from core.log import UNKNOWN_LABEL, EventLog, LabelRule, Outcome, TieRule
from core.schema import Field, Kind, Schema
from domains.music.readers.generic import GENERIC_LOG as MUSIC

SCHEMA = Schema(
    user=(
        Field("city", Kind.CATEGORY, "city"),
        Field("registered_at", Kind.TIMESTAMP, "moment of registration"),
    ),
    object=(
        Field("brand", Kind.CATEGORY, "brand", facet=True),
        Field("tags", Kind.CATEGORY_SET, "tags", facet=True, max_values=2),
        Field("price", Kind.NUMBER, "price"),
    ),
    context=(Field("channel", Kind.CATEGORY, "channel"),),
    main_facet="brand",
    pools=("promoted",),
)
SHOP = GenericLog(
    domain="shop",
    schema=SCHEMA,
    outcomes=(Outcome.PURCHASE, Outcome.LIKE),
    label_rule=LabelRule(horizon_s=100),
    tie_rule=TieRule.TIMESTAMP,
    basket_column="basket_id",
)
HEAD = "user_id,object_id,timestamp\n"


def read(directory: Path, events: str | bytes, **files: str) -> EventLog:
    raw = events.encode() if isinstance(events, str) else events
    (directory / "events.csv").write_bytes(raw)
    for name, content in files.items():
        suffix = "json" if name == "pools" else "csv"
        (directory / f"{name}.{suffix}").write_text(content, encoding="utf-8")
    return SHOP.read(directory)


def test_epoch_seconds_and_iso_8601_are_the_same_moments(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        HEAD
        + "a,x,1471190400\n"
        + "a,y,1471190400.5\n"
        + "a,z,2016-08-14T16:00:01Z\n"
        + "a,v,2016-08-15T00:00:02+08:00\n"
        + "a,w,2016-08-14 16:00:03\n",
    )
    assert (log.time_s - 1471190400).tolist() == [0, 0.5, 1, 2, 3]
    assert "events.csv: timestamps without a zone were taken as UTC" in log.notes


def test_zones_that_are_named_need_no_note(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + "a,x,2016-08-14T16:00:01Z\n").notes == ()


def test_a_byte_order_mark_windows_lines_and_tables_without_rows_are_no_faults(
    tmp_path: Path,
) -> None:
    events = b"\xef\xbb\xbf" + (HEAD + "a,x,1\n").replace("\n", "\r\n").encode()
    log = read(tmp_path, events, users="user_id,city\n", objects="object_id,brand,price\n")
    assert (log.users.ids, log.objects.ids) == (("a",), ("x",))


def test_a_fault_behind_loose_quotes_and_unread_columns_is_still_found(tmp_path: Path) -> None:
    events = HEAD.replace("\n", ",note\n").encode() + b'"a"b,x,1,\xff\na,y,never,\n'
    with pytest.raises(InvalidDataError, match=r"events.csv:3, column timestamp: 'never'"):
        read(tmp_path, events)


def test_ids_stay_strings_as_written(tmp_path: Path) -> None:
    log = read(tmp_path, HEAD + "007,1e5,1\n123.0,NaN,2\n")
    assert log.users.ids == ("007", "123.0")
    assert log.objects.ids == ("1e5", "NaN")


def test_without_labels_first_interactions_are_examples_and_labels_unknown(tmp_path: Path) -> None:
    rows = "a,x,1,like\na,x,2,\na,x,3,purchase\na,y,500,purchase\n"
    log = read(tmp_path, "user_id,object_id,timestamp,outcome\n" + rows)
    assert log.is_example.tolist() == [False, True, False, True]
    assert log.outcome.tolist() == ["like", "purchase", "purchase", "purchase"]
    assert (log.labels == UNKNOWN_LABEL).all()
    assert log.matures_at_s.tolist() == [101, 102, 103, 600]
    assert np.array_equal(log.position, [np.nan, 0, np.nan, np.nan], equal_nan=True)


def test_with_labels_the_rows_that_carry_one_are_the_examples(tmp_path: Path) -> None:
    log = read(tmp_path, "user_id,object_id,timestamp,label\na,x,1,1\na,x,2,\na,x,3,0\n")
    assert log.is_example.tolist() == [True, False, True]
    assert log.labels.tolist() == [1, UNKNOWN_LABEL, 0]


def test_rows_of_a_basket_share_its_first_moment(tmp_path: Path) -> None:
    rows = "a,x,5,k\na,y,3,k\nb,z,4,k\na,v,4,\na,w,7,\n"
    log = read(tmp_path, "user_id,object_id,timestamp,basket_id\n" + rows)
    assert log.time_s.tolist() == [3, 3, 4, 4, 7]
    assert log.row_id.tolist() == [0, 1, 2, 3, 4]
    assert log.tie_group.tolist() == [0, 0, 1, 1, 2]


def test_users_and_objects_bring_their_attributes(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        "user_id,object_id,timestamp,channel,colour\na,x,1,web,red\nb,y,2,,blue\n",
        users="user_id,city,registered_at\na,東京,2016-01-01T00:00:00Z\nc,,\n",
        objects='object_id,title,brand,tags,price\nx,"A, ""B""",Acme,u|v,9.5\nz,,,,\n',
        pools=json.dumps({"promoted": ["x", "z", "gone"]}),
    )
    assert log.users.ids == ("a", "c", "b")
    assert log.users.columns["city"].tolist() == ["東京", "", ""]
    assert log.users.columns["registered_at"][0] == 1451606400
    assert np.isnan(log.users.columns["registered_at"][1:].astype(float)).all()
    assert log.objects.ids == ("x", "z", "y")
    assert log.objects.titles == ('A, "B"', "", "")
    assert log.objects.columns["tags"].tolist() == ["u|v", "", ""]
    assert log.objects.columns["price"][0] == 9.5
    assert log.context["channel"].tolist() == ["web", ""]
    assert log.pools == {"promoted": {"x", "z"}}
    assert "events.csv: columns not read: colour" in log.notes
    assert "pools.json: 1 ids of pool promoted are unknown and left out" in log.notes


def test_music_parses_raw_catalogue_strings(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(HEAD + "a,x,2026-01-01T00:00:00Z\n")
    (tmp_path / "objects.csv").write_text(
        "object_id,title,artist,genres,composer,lyricist,isrc,language,length_s\n"
        "x,T,A feat. B,465|444,C|D,E,USSM12401446,52,200\n"
    )
    objects = MUSIC.read(tmp_path).objects
    values = {name: column[0] for name, column in objects.columns.items()}
    assert values["artist"] == "A"
    assert (values["artist_count"], values["is_featured"], values["genre_count"]) == (2, 1, 2)
    assert (values["isrc_country"], values["release_year"]) == ("US", 2024)
    assert (values["language"], values["length_s"], values["composer"]) == ("52", 200, "C")
    assert objects.titles == ("T",)


def same(one: EventLog, other: EventLog) -> None:
    for name in ("user_index", "object_index", "time_s", "labels", "is_example", "tie_group"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.outcome.tolist() == other.outcome.tolist()
    assert one.users.ids == other.users.ids
    assert one.objects.ids == other.objects.ids
    for mine, theirs in (
        (one.users.columns, other.users.columns),
        (one.objects.columns, other.objects.columns),
        (one.context, other.context),
    ):
        assert mine.keys() == theirs.keys()
        for name in mine:
            assert pd.Series(mine[name]).equals(pd.Series(theirs[name])), name


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            NAMES,
            NAMES,
            st.integers(0, 2_000_000_000),
            st.sampled_from(["", "web", 'q"uote,d']),
            st.sampled_from(["", "purchase", "like"]),
            st.sampled_from([None, 0, 1]),
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["int", "float", "datetime"]),
)
def test_csv_and_parquet_give_the_same_log(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, int, str, str, int | None]],
    clock: str,
) -> None:
    names = ["user_id", "object_id", "timestamp", "channel", "outcome", "label"]
    events = pd.DataFrame(rows, columns=names)
    events.loc[0, "label"] = 1
    events["label"] = events["label"].astype("Int64")
    one, other = tmp_path_factory.mktemp("csv"), tmp_path_factory.mktemp("parquet")
    if clock == "datetime":
        events["timestamp"] = pd.to_datetime(events["timestamp"], unit="s", utc=True)
    elif clock == "float":
        events["timestamp"] = events["timestamp"].astype(float)
    objects = events[["object_id"]].drop_duplicates()
    objects["price"] = [float(i) if i else np.nan for i in range(len(objects))]
    objects["brand"] = None
    for frame, stem in ((events, "events"), (objects, "objects")):
        frame.to_csv(one / f"{stem}.csv", index=False)
        frame.to_parquet(other / f"{stem}.parquet", index=False)
    same(SHOP.read(one), SHOP.read(other))


def test_parquet_categories_and_whole_numbers_read_as_csv_writes_them(tmp_path: Path) -> None:
    table = pa.table(
        {
            "user_id": pa.array([7, 8]),
            "object_id": pa.array(["x", "y"]).dictionary_encode(),
            "timestamp": pa.array([1, 2], pa.timestamp("s")),
            "channel": pa.array([3.0, None]),
        }
    )
    pa_parquet.write_table(table, tmp_path / "events.parquet")
    log = SHOP.read(tmp_path)
    assert log.users.ids == ("7", "8")
    assert log.context["channel"].tolist() == ["3", ""]
    assert log.notes == ("events.parquet: timestamps without a zone were taken as UTC",)


@pytest.mark.parametrize(
    ("events", "where", "problem"),
    [
        ("", "events.csv", "empty"),
        (HEAD, "events.csv", "no events"),
        ("user_id,timestamp\na,1\n", "events.csv:1", "'object_id' is missing"),
        ("user_id,user_id,timestamp\na,b,1\n", "events.csv:1", "twice"),
        (HEAD + "a,x,1\na,y\n", "events.csv:3", "2 columns"),
        (HEAD + "a,x,1\n\na,y,2,3\n", "events.csv:4", "4 columns"),
        (HEAD + "a,x,1\na,", "events.csv:3", "2 columns"),
        (HEAD + 'a,x,1\na,"y,2\n', "events.csv:3", "cannot be read"),
        (HEAD.encode() + b"a,x,1\nb\xe9,y,2\n", "events.csv:3", "not UTF-8"),
        (b"\xff\xfe" + HEAD.encode("utf-16-le"), "events.csv:1", "not UTF-8"),
        (HEAD + ",x,1\n", "events.csv:2, column user_id", "empty"),
        (HEAD + 'a,"x\ny",1\na,,2\n', "events.csv:4, column object_id", "empty"),
        (HEAD + "a,x,1\na,y,\n", "events.csv:3, column timestamp", "missing"),
        (HEAD + "a,x,1\na,y,NaN\n", "events.csv:3, column timestamp", "'NaN' is neither"),
        (HEAD + "a,x,inf\n", "events.csv:2, column timestamp", "'inf' is neither"),
        (HEAD + "a,x,-1\n", "events.csv:2, column timestamp", "not a plausible time"),
        (HEAD + "a,x,1471190400000\n", "events.csv:2, column timestamp", "1471190400000 seconds"),
        (HEAD + "a,x,yesterday\n", "events.csv:2, column timestamp", "'yesterday' is neither"),
        (HEAD + "a,x,now\n", "events.csv:2, column timestamp", "'now' is neither"),
        (HEAD + "a,x,1960-01-01T00:00Z\n", "events.csv:2, column timestamp", "not a plausible"),
        (
            "user_id,object_id,timestamp,outcome\na,x,1,purchase\na,x,2,bought\n",
            "events.csv:3, column outcome",
            "unknown outcome 'bought'",
        ),
        (
            "user_id,object_id,timestamp,label\na,x,1,1\na,x,2,0.5\n",
            "events.csv:3, column label",
            "the label is 0.5",
        ),
        ("user_id,object_id,timestamp,label\na,x,1,\n", "events.csv", "empty in every row"),
        (
            HEAD + "a,x,1\n" + "b" * 2000 + ",y,2\n",
            "events.csv:3, column user_id",
            "2000 characters",
        ),
        (HEAD + "a,x,1\n" + "b" * 9_000_000 + ",y,2\n", "events.csv:3", "cannot be read"),
    ],
)
def test_a_fault_in_the_events_is_named_by_line_and_column(
    tmp_path: Path, events: str | bytes, where: str, problem: str
) -> None:
    with pytest.raises(InvalidDataError) as caught:
        read(tmp_path, events)
    assert caught.value.where == where
    assert problem in caught.value.problem
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv"]


@pytest.mark.parametrize(
    ("file", "content", "where", "problem"),
    [
        ("users", "city\nRome\n", "users.csv:1", "'user_id' is missing"),
        ("users", "user_id\na\na\n", "users.csv:3, column user_id", "'a' stands twice"),
        (
            "users",
            "user_id,registered_at\na,never\n",
            "users.csv:2, column registered_at",
            "'never' is neither",
        ),
        ("objects", "object_id,price\nx,cheap\n", "objects.csv:2, column price", "'cheap' is not"),
        ("objects", "object_id,price\nx,nan\n", "objects.csv:2, column price", "'nan' is not"),
        ("pools", '{"promoted":\n [1', "pools.json:2", "Expecting"),
        ("pools", '{"free": []}', "pools.json", "unknown pool 'free'"),
        ("pools", '{"promoted": "x"}', "pools.json", "not a list"),
        ("pools", "[]", "pools.json", "not an object"),
    ],
)
def test_a_fault_in_the_other_files_is_named(
    tmp_path: Path, file: str, content: str, where: str, problem: str
) -> None:
    with pytest.raises(InvalidDataError) as caught:
        read(tmp_path, HEAD + "a,x,1\n", **{file: content})
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_a_parquet_file_cut_in_half_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user_id": ["a"], "object_id": ["x"], "timestamp": [1]})
    raw = frame.to_parquet(index=False)
    (tmp_path / "events.parquet").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InvalidDataError, match=r"events.parquet: not a readable Parquet file"):
        SHOP.read(tmp_path)


@pytest.mark.parametrize(
    ("column", "values", "where", "problem"),
    [
        ("user_id", [1.0, np.nan], "events.parquet row 0, column user_id", "type double"),
        ("user_id", ["a", None], "events.parquet row 1, column user_id", "empty"),
        ("timestamp", [1.0, np.nan], "events.parquet row 1, column timestamp", "missing"),
        ("timestamp", [1.0, np.inf], "events.parquet row 1, column timestamp", "plausible"),
        ("timestamp", [[1], [2]], "events.parquet row 0, column timestamp", "neither number"),
        ("channel", [[1], [2]], "events.parquet row 0, column channel", "no text"),
        ("label", [1.0, 7.0], "events.parquet row 1, column label", "the label is 7"),
    ],
)
def test_a_fault_in_parquet_is_named_by_row_and_column(
    tmp_path: Path, column: str, values: list[object], where: str, problem: str
) -> None:
    frame = pd.DataFrame({"user_id": ["a", "b"], "object_id": ["x", "y"], "timestamp": [1, 2]})
    frame[column] = pd.Series(values)
    frame.to_parquet(tmp_path / "events.parquet", index=False)
    with pytest.raises(InvalidDataError) as caught:
        SHOP.read(tmp_path)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_two_event_files_leave_open_which_one_counts(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user_id": ["a"], "object_id": ["x"], "timestamp": [1]})
    frame.to_parquet(tmp_path / "events.parquet")
    with pytest.raises(InvalidDataError, match="both exist"):
        read(tmp_path, HEAD + "a,x,1\n")


# Positions


PLACED = "user_id,object_id,timestamp,position\n"


def test_rows_with_a_position_are_the_examples_and_lie_there(tmp_path: Path) -> None:
    log = read(tmp_path, PLACED + "a,x,0,\na,y,50,0.2\na,z,60,0.3\na,v,155,0.9\na,w,1000,\n")
    np.testing.assert_array_equal(log.position, [np.nan, 0.2, 0.3, 0.9, np.nan])
    # Labels need 100 seconds: y's is known when v comes, z's and v's only later in the log.
    assert log.matures_position[1:4].tolist() == [0.9, 1.0, 1.0]


def test_a_label_that_matures_after_the_log_has_no_place_in_it(tmp_path: Path) -> None:
    log = read(tmp_path, PLACED + "a,x,0,0.1\na,y,50,0.2\n")
    assert log.matures_position.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,x,0,0.5\na,y,1,1\n", r"events.csv:3.*position is 1\. Positions are in \[0, 1\)"),
        ("a,x,0,-0.5\n", r"events.csv:2.*position is -0.5"),
        ("a,x,0,0.5\na,y,1,0.4\n", r"events.csv:3.*0.4.*earlier event is larger"),
        ("a,x,0,\n", "position is empty in every row"),
    ],
)
def test_a_position_out_of_range_or_order_is_refused(
    tmp_path: Path, rows: str, message: str
) -> None:
    with pytest.raises(InvalidDataError, match=message):
        read(tmp_path, PLACED + rows)
