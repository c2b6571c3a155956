"""Catalogue strings of tracks parsed into the schema's object columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import pandas as pd

LOG_YEARS = 10
"""How long a log may go on before two digits of a year could mean two things."""
EARLIEST_LATEST_YEAR = 2017
"""The published rule for two-digit years ends here: 17 is 2017 and 18 is 1918."""

RAW_COLUMNS = ("artist", "genres", "composer", "lyricist", "isrc")
"""What `parse_catalogue` reads, as strings; an absent value is NaN, a known blank ''."""

_FEATURED = re.compile(r"[\s(（\[](?:featuring|feat|ft)(?:\.|(?![a-z]))\s*(?=[^\s)）\]])", re.I)
_BRACKETED = re.compile(r"\([^()]*\)|（[^（）]*）|\[[^\[\]]*\]")
# "and" and "/" are separators between blanks only (Brandy, AC/DC); "&" is none inside initials
# (R&B, W&W). KKBOX writes "|" where the published names have commas.
_BETWEEN_ARTISTS = re.compile(
    r"\s+and\s+|\s+/\s+|[,，、|;＆]"
    r"|(?<!(?<![a-z0-9])[a-z0-9])&|&(?![a-z0-9](?![a-z0-9]))",
    re.I,
)
_BETWEEN_WRITERS = re.compile(r"[|/\\;]")
_ISRC = re.compile(r"([A-Z]{2})([A-Z0-9]{3})(\d{2})\d{5}")

Parsed = TypeVar("Parsed")


def parse_artists(text: str) -> tuple[str, int, bool]:
    """The first artist, how many are named, and whether one is marked as featured.

    Separators are the word "and", "&", commas, "|", ";", " / " and the featuring marks; what
    stands in brackets belongs to the name before it. The rule does not know bands:
    "Earth, Wind & Fire" counts three.
    """
    marked = _FEATURED.search(text) is not None
    visible = _FEATURED.sub("|", text)
    blanked = visible
    while (shorter := _BRACKETED.sub(lambda m: "_" * len(m.group()), blanked)) != blanked:
        blanked = shorter
    starts = [0, *(match.end() for match in _BETWEEN_ARTISTS.finditer(blanked))]
    ends = [*(match.start() for match in _BETWEEN_ARTISTS.finditer(blanked)), len(blanked)]
    names = [visible[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    names = [name for name in names if name.strip("()（）[]")]
    return (
        (names[0], len(names), marked) if names else (text.strip(), int(bool(text.strip())), marked)
    )


def parse_writers(text: str) -> tuple[str, int]:
    """The first composer or lyricist and how many are named, split on bars, slashes and `;`."""
    names = [name.strip() for name in _BETWEEN_WRITERS.split(text) if name.strip()]
    return (names[0], len(names)) if names else ("", 0)


def parse_genres(text: str) -> tuple[str, int]:
    """The distinct genre ids joined by `|` again, in order, and how many there are."""
    genres = list(dict.fromkeys(genre.strip() for genre in text.split("|") if genre.strip()))
    return "|".join(genres), len(genres)


def parse_isrc(text: str, latest_year: int = EARLIEST_LATEST_YEAR) -> tuple[str, str, float]:
    """Country, registrant and year of an ISRC such as `TWUM71200043`; ('', '', NaN) if it is none.

    The two digits of the year mean the latest such year up to `latest_year`. For 2017 and before
    this is the published rule, 2000 + yy if yy < 18 else 1900 + yy; up to 2026, 24 is 2024.
    """
    match = _ISRC.fullmatch(text.replace("-", "").replace(" ", "").upper())
    if match is None:
        return "", "", np.nan
    latest = max(latest_year, EARLIEST_LATEST_YEAR)
    return match[1], match[2], float(latest - (latest - int(match[3])) % 100)


def latest_isrc_year(begin_s: float) -> int:
    """The latest year that two digits may mean in a log that begins at `begin_s`, epoch seconds.

    Ten years are given to a log. Its end may not tell: rows of the test block would then change
    the years of training rows.
    """
    return datetime.fromtimestamp(begin_s, UTC).year + LOG_YEARS - 1


def parse_catalogue(songs: pd.DataFrame, latest_year: int) -> pd.DataFrame:
    """The table with raw strings replaced by the schema's columns.

    Args:
        songs: any of `RAW_COLUMNS` plus whatever else; columns of the schema that stand there
            already (`release_year`, `artist_count`) win over what is parsed, where not absent.
        latest_year: the latest year that the two digits of an ISRC may mean.

    Returns:
        A new table of the same rows.
    """
    parsed = songs.drop(columns=["isrc"], errors="ignore").reset_index(drop=True)
    derived: dict[str, pd.Series] = {}
    if "artist" in songs:
        first, count, featured = _columns(songs["artist"], parse_artists, 3)
        parsed["artist"], derived["artist_count"], derived["is_featured"] = first, count, featured
    for name, parse in (
        ("composer", parse_writers),
        ("lyricist", parse_writers),
        ("genres", parse_genres),
    ):
        if name in songs:
            first, count = _columns(songs[name], parse, 2)
            parsed[name], derived[f"{name.removesuffix('s')}_count"] = first, count
    if "isrc" in songs:
        country, registrant, year = _columns(
            songs["isrc"], lambda text: parse_isrc(text, latest_year), 3
        )
        derived |= {"isrc_country": country, "isrc_registrant": registrant, "release_year": year}
    for name, values in derived.items():
        numeric = pd.api.types.is_numeric_dtype(values)
        fresh = values.astype(np.float64) if numeric else values
        if name in parsed:
            given = parsed[name]
            fresh = given.astype(fresh.dtype).where(given.notna() & (given != ""), fresh)
        parsed[name] = fresh
    return parsed


def _columns(
    texts: pd.Series, parse: Callable[[str], tuple[object, ...]], width: int
) -> list[pd.Series]:
    """`parse` over the distinct texts: one column for each of its values, NaN where absent."""
    codes, uniques = pd.factorize(texts)
    results = [parse(text) for text in np.asarray(uniques, dtype=object).tolist()]
    columns = []
    for place in range(width):
        values = pd.Series([result[place] for result in results])
        numeric = pd.api.types.is_numeric_dtype(values) or values.empty
        table = values.astype(np.float64 if numeric else object).to_numpy()
        columns.append(pd.Series(np.append(table, np.nan)[codes]))
    return columns
