"""KKBOX CSV files with the defects of the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidDataError
from core.log import EventLog
from domains.music.readers import kkbox, kkbox_clock

TRAIN = "msno,song_id,source_system_tab,source_screen_name,source_type,target\n"
ROWS = (
    "anna,known,my library,Local playlist more,local-library,1\n"
    "anna,missing,discover,,song,0\n"
    "ben,known,,,,1\n"
)
MEMBERS = "msno,city,bd,gender,registered_via,registration_init_time,expiration_date\n"
SONGS = "song_id,song_length,genre_ids,artist_name,composer,lyricist,language\n"
EXTRA = "song_id,name,isrc\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def files(**contents: str | bytes) -> Path:
        given: dict[str, str | bytes] = {"train": TRAIN + ROWS, "members": MEMBERS, **contents}
        for name, content in given.items():
            raw = content.encode() if isinstance(content, str) else content
            (tmp_path / f"{name}.csv").write_bytes(raw)
        return tmp_path

    return files


def user(log: EventLog, name: str, field: str) -> object:
    return log.users.columns[field][log.users.ids.index(name)]


def song(log: EventLog, name: str, field: str) -> object:
    return log.objects.columns[field][log.objects.ids.index(name)]


def test_every_row_is_an_example_with_its_target_and_context(write: Write) -> None:
    log = kkbox.read(write())
    assert log.labels.tolist() == [1, 0, 1]
    assert log.is_example.all()
    assert log.context["source_tab"].tolist() == ["my library", "discover", ""]
    assert log.context["source_screen"].tolist() == ["Local playlist more", "", ""]
    assert log.context["source_type"].tolist() == ["local-library", "song", ""]
    assert log.row_id.tolist() == [0, 1, 2]
    assert log.tie_group.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("bd", "age"), [("0", np.nan), ("75", np.nan), ("-43", np.nan), ("74", 74)]
)
def test_an_implausible_age_is_absent(write: Write, bd: str, age: float) -> None:
    log = kkbox.read(write(members=MEMBERS + f"anna,13,{bd},,7,20110820,20170920\n"))
    assert np.array_equal(log.users.columns["age"], [age, np.nan], equal_nan=True)


def test_a_member_without_gender_and_a_member_without_a_row_are_unknown_not_errors(
    write: Write,
) -> None:
    log = kkbox.read(write(members=MEMBERS + "anna,13,30,,7,20110820,20170920\n"))
    assert user(log, "anna", "gender") == ""
    assert user(log, "anna", "city") == "13"
    assert user(log, "anna", "registered_at") == 1313798400.0
    assert user(log, "ben", "city") == ""
    assert np.array_equal(log.users.columns["age"], [30, np.nan], equal_nan=True)


def test_expiration_dates_are_never_read(write: Write) -> None:
    early = kkbox.read(write(members=MEMBERS + "anna,13,30,,7,20110820,20170920\n"))
    late = kkbox.read(write(members=MEMBERS + "anna,13,30,,7,20110820,not even a day\n"))
    assert user(early, "anna", "registered_at") == user(late, "anna", "registered_at")
    assert any("expiration_date" in note for note in late.notes)


def test_songs_may_lack_rows_and_names_may_be_quoted_and_not_ascii(write: Write) -> None:
    log = kkbox.read(
        write(
            songs=SONGS
            + 'known,247640,465|444,張信哲 (Jeff Chang),"董貞, 小 ""B""| C",何啟弘,52.0\n',
            song_extra_info=EXTRA + 'known,"我們, again",TWUM71200043\nother,Title,\n',
        )
    )
    assert song(log, "known", "artist") == "張信哲 (Jeff Chang)"
    assert song(log, "known", "genres") == "465|444"
    assert song(log, "known", "composer") == '董貞, 小 "B"'
    assert song(log, "known", "composer_count") == 2
    assert song(log, "known", "length_s") == 247.64
    assert song(log, "known", "language") == "52"
    assert song(log, "known", "isrc_country") == "TW"
    assert song(log, "known", "release_year") == 2012
    assert log.objects.titles[log.objects.ids.index("known")] == "我們, again"
    assert song(log, "missing", "artist") == ""
    counts = log.objects.columns["artist_count"]
    assert np.array_equal(counts, [1, np.nan, np.nan], equal_nan=True)
    assert log.objects.ids == ("known", "other", "missing")


def test_rows_of_the_test_file_enter_nothing(write: Write) -> None:
    test = "id,msno,song_id,source_system_tab,source_screen_name,source_type\n0,eve,new,,,\n"
    log = kkbox.read(write(test=test))
    assert len(log) == 3
    assert "eve" not in log.users.ids
    assert "new" not in log.objects.ids


def test_a_piece_keeps_the_pace_of_the_full_file_and_its_labels_lag_in_rows(write: Write) -> None:
    rows = "".join(f"anna,s{i},,,,0\n" for i in range(100))
    log = kkbox.read(write(train=TRAIN + rows), label_lag_rows=10)
    pace = (kkbox_clock.END_S - kkbox_clock.START_S) / kkbox_clock.FULL_ROWS
    assert log.time_s[0] == 1471190400
    assert log.time_s[-1] == pytest.approx(1471190400 + 99 * pace)
    assert log.position.tolist() == [i / 100 for i in range(100)]
    assert log.matures_position[:90].tolist() == [(i + 11) / 100 for i in range(90)]
    assert (log.matures_position[90:] > 1).all()
    assert (log.matures_at_s[:90] == log.time_s[10:]).all()
    assert any("100 of 7377418 rows" in n and "mature after 10 rows" in n for n in log.notes)


def test_the_lag_defaults_to_a_twentieth_of_the_rows_and_at_least_one(write: Write) -> None:
    assert any("mature after 1 rows" in note for note in kkbox.read(write()).notes)


def test_the_full_file_spans_its_months_and_labels_mature_after_thirty_days(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kkbox_clock, "FULL_ROWS", 3)
    log = kkbox.read(write())
    assert log.time_s.tolist() == [1471190400, 1475539200, 1479888000]
    assert (log.matures_at_s - log.time_s == 30 * 86400).all()


def test_a_clock_file_replaces_the_row_order(write: Write) -> None:
    clock = "row_id,timestamp\n2,2017-01-01T00:00:00Z\n0,1483228801\n1,1483228802\n"
    log = kkbox.read(write(clock=clock))
    assert log.row_id.tolist() == [2, 0, 1]
    assert log.time_s.tolist() == [1483228800, 1483228801, 1483228802]
    assert (log.matures_at_s - log.time_s == 30 * 86400).all()


@pytest.mark.parametrize(
    ("files", "where", "problem"),
    [
        ({"train": ""}, "train.csv", "empty"),
        ({"train": TRAIN}, "train.csv", "no events"),
        ({"train": "user,song\na,b\n"}, "train.csv:1", "expected 'msno,song_id"),
        ({"train": TRAIN + ROWS + "ben,kno"}, "train.csv:5", "2 columns"),
        ({"train": TRAIN + ROWS[:70]}, "train.csv:3", "2 columns"),
        ({"train": TRAIN + "anna,x,,,,\n"}, "train.csv:2, column target", "''"),
        ({"train": TRAIN + ROWS + "ben,x,,,,2\n"}, "train.csv:5, column target", "'2'"),
        ({"train": TRAIN + ROWS + ",x,,,,1\n"}, "train.csv:5, column msno", "empty"),
        ({"train": TRAIN + ROWS + "ben,,,,,1\n"}, "train.csv:5, column song_id", "empty"),
        ({"train": (TRAIN + ROWS).encode() + b"b\xff,x,,,,1\n"}, "train.csv:5", "not UTF-8"),
        ({"train": TRAIN + ROWS + 'ben,"x,,,,1\nben,y,,,,1\n'}, "train.csv:5", "cannot be read"),
        ({"members": MEMBERS + "anna,1,old,,7,20110820,\n"}, "members.csv:2, column bd", "'old'"),
        ({"members": MEMBERS + "anna,1,NaN,,7,20110820,\n"}, "members.csv:2, column bd", "'NaN'"),
        (
            {"members": MEMBERS + "anna,1,2,,7,20111399,\n"},
            "members.csv:2, column registration_init_time",
            "'20111399'",
        ),
        (
            {"members": MEMBERS + "anna,1,2,,7,,\nanna,1,2,,7,,\n"},
            "members.csv:3, column msno",
            "twice",
        ),
        ({"songs": SONGS + "a,1,,,,,\nb,long,,,,,\n"}, "songs.csv:3, column song_length", "'long'"),
        ({"song_extra_info": EXTRA + 'a,"1\n2\n3",\n,b,\n'}, "song_extra_info.csv:5", "empty"),
        ({"test": "id,who\n"}, "test.csv:1", "header"),
        ({"clock": "row_id,timestamp\n0,1\n1,2\n"}, "clock.csv", "2 rows for the 3"),
        ({"clock": "row_id,timestamp\n0,1\n1,2\n1,3\n"}, "clock.csv:4, column row_id", "twice"),
        ({"clock": "row_id,timestamp\n0,1\n3,2\n2,3\n"}, "clock.csv:3, column row_id", "no row"),
        ({"clock": "row_id,timestamp\n0,1\n1,\n2,3\n"}, "clock.csv:3, column timestamp", "missing"),
    ],
)
def test_a_fault_is_named_by_file_line_and_column(
    write: Write, files: dict[str, str | bytes], where: str, problem: str
) -> None:
    with pytest.raises(InvalidDataError) as caught:
        kkbox.read(write(**files))
    assert caught.value.where.startswith(where)
    assert problem in caught.value.problem


def test_a_label_lag_below_one_row_would_let_labels_see_themselves(write: Write) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        kkbox.read(write(), label_lag_rows=0)
