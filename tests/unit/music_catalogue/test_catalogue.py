"""Catalogue strings: artists, writers, genres and ISRC."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.music.catalogue import (
    parse_artists,
    parse_catalogue,
    parse_genres,
    parse_isrc,
    parse_writers,
)


@pytest.mark.parametrize(
    ("text", "first", "count", "featured"),
    [
        ("Brandy", "Brandy", 1, False),
        ("Sandy Lam", "Sandy Lam", 1, False),
        ("Simon and Garfunkel", "Simon", 2, False),
        ("Belle AND Sebastian", "Belle", 2, False),
        ("Earth, Wind & Fire", "Earth", 3, False),
        ("張信哲 (Jeff Chang)", "張信哲 (Jeff Chang)", 1, False),
        ("無印良品 (Michael & Victor)", "無印良品 (Michael & Victor)", 1, False),
        ("方力申 & 鄧麗欣 (Alex Fong & Stephy Tang)", "方力申", 2, False),
        ("張學友&孫耀威&MR.&麥家瑜", "張學友", 4, False),
        ("張學友＆陳奕迅", "張學友", 2, False),
        ("李尤、李紹繼", "李尤", 2, False),
        ("W&W and Ummet Ozcan", "W&W", 2, False),
        ("R&B情歌寶典", "R&B情歌寶典", 1, False),
        ("AC/DC", "AC/DC", 1, False),
        ("彈琴給你聽 / 孩子的音樂夢森林", "彈琴給你聽", 2, False),
        ("Lliam Taylor| Latroit", "Lliam Taylor", 2, False),
        ("A feat. B", "A", 2, True),
        ("Mitchie M feat.初音未來", "Mitchie M", 2, True),
        ("Lil Mama featuring Chris Brown & T-Pain", "Lil Mama", 3, True),
        ("David Lynch ft Karen O", "David Lynch", 2, True),
        ("Various Artist (featuring kenya hathaway)", "Various Artist", 2, True),
        ("A, feat. B", "A", 2, True),
        ("Little Feat", "Little Feat", 1, False),
        ("Defeat the Giant", "Defeat the Giant", 1, False),
        ("Ft. Worth Symphony", "Ft. Worth Symphony", 1, False),
        ("And One", "And One", 1, False),
        ("&", "&", 1, False),
        ("", "", 0, False),
        ("   ", "", 0, False),
    ],
)
def test_artists_are_split_at_words_and_marks_not_inside_names(
    text: str, first: str, count: int, featured: bool
) -> None:
    assert parse_artists(text) == (first, count, featured)


@given(st.text(max_size=40))
def test_any_text_has_an_artist_exactly_if_it_is_not_blank(text: str) -> None:
    first, count, _ = parse_artists(text)
    assert (count > 0) == bool(text.strip())
    assert bool(first) == bool(text.strip())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TEDDY|  FUTURE BOUNCE|  Bekuh BOOM", ("TEDDY", 3)),
        ("阿達/廖偉傑", ("阿達", 2)),
        ("A\\B;C", ("A", 3)),
        ("董貞", ("董貞", 1)),
        ("|", ("", 0)),
        ("", ("", 0)),
    ],
)
def test_writers_are_split_at_bars_and_slashes(text: str, expected: tuple[str, int]) -> None:
    assert parse_writers(text) == expected


def test_genres_keep_their_order_and_stand_once() -> None:
    assert parse_genres("465|444| 465||1") == ("465|444|1", 3)
    assert parse_genres("") == ("", 0)


@pytest.mark.parametrize(
    ("isrc", "latest_year", "expected"),
    [
        ("TWUM71200043", 2017, ("TW", "UM7", 2012)),
        ("tw-um7-12-00043", 2017, ("TW", "UM7", 2012)),
        ("USSM11701446", 2017, ("US", "SM1", 2017)),
        ("USSM11801446", 2017, ("US", "SM1", 1918)),
        ("USSM19901446", 2017, ("US", "SM1", 1999)),
        ("USSM12401446", 2017, ("US", "SM1", 1924)),
        ("USSM12401446", 2026, ("US", "SM1", 2024)),
        ("USSM12701446", 2026, ("US", "SM1", 1927)),
        ("USSM11701446", 2010, ("US", "SM1", 2017)),
    ],
)
def test_an_isrc_names_country_registrant_and_year(
    isrc: str, latest_year: int, expected: tuple[str, str, float]
) -> None:
    assert parse_isrc(isrc, latest_year) == expected


@given(st.integers(0, 99))
def test_the_years_of_the_kkbox_log_follow_the_published_rule(digits: int) -> None:
    published = 2000 + digits if digits < 18 else 1900 + digits
    assert parse_isrc(f"TWUM7{digits:02d}00043", 2017)[2] == published


@pytest.mark.parametrize("isrc", ["", "TWB53966001H", "TWUM7120004", "1WUM71200043", "nonsense"])
def test_what_is_no_isrc_says_nothing(isrc: str) -> None:
    country, registrant, year = parse_isrc(isrc, 2017)
    assert (country, registrant) == ("", "")
    assert np.isnan(year)


def test_a_catalogue_gets_the_columns_of_the_schema() -> None:
    songs = pd.DataFrame(
        {
            "object_id": ["s", "t", "u"],
            "artist": ["A feat. B", "", None],
            "genres": ["465|444", "", None],
            "composer": ["C/D", "", None],
            "lyricist": ["E", "", None],
            "isrc": ["TWUM71200043", "", None],
            "length_s": [200.0, np.nan, 3.0],
        }
    )
    parsed = parse_catalogue(songs, 2017)
    assert parsed.loc[0].drop("object_id").to_dict() == {
        "artist": "A",
        "genres": "465|444",
        "composer": "C",
        "lyricist": "E",
        "length_s": 200,
        "artist_count": 2,
        "is_featured": 1,
        "composer_count": 2,
        "lyricist_count": 1,
        "genre_count": 2,
        "isrc_country": "TW",
        "isrc_registrant": "UM7",
        "release_year": 2012,
    }
    assert parsed.loc[1, "artist_count"] == 0
    assert parsed.loc[1, "composer_count"] == 0
    assert parsed["release_year"].isna().tolist() == [False, True, True]
    assert parsed.loc[2, ["artist", "artist_count", "composer_count", "isrc_country"]].isna().all()


def test_columns_that_are_parsed_already_win_where_they_say_something() -> None:
    songs = pd.DataFrame(
        {
            "object_id": ["s", "t"],
            "artist": ["Earth, Wind & Fire", "A & B"],
            "artist_count": [1.0, np.nan],
        }
    )
    assert parse_catalogue(songs, 2017)["artist_count"].tolist() == [1, 2]


def test_an_empty_catalogue_and_one_without_raw_columns_pass() -> None:
    empty = pd.DataFrame({"object_id": [], "artist": [], "isrc": []}, dtype=object)
    assert len(parse_catalogue(empty, 2017)) == 0
    bare = pd.DataFrame({"object_id": ["s"]})
    assert parse_catalogue(bare, 2017).columns.tolist() == ["object_id"]
