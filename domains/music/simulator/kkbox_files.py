"""Writes a simulated log in the file format of the KKBOX challenge, with a clock beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from domains.music.simulator.events import FirstPlays
from domains.music.simulator.metadata import Metadata
from domains.music.simulator.parameters import DAY_S
from domains.music.simulator.randomness import Ints, stream
from domains.music.simulator.tables import (
    context_columns,
    words,
    write_columns,
    write_oracle,
    write_rows,
)
from domains.music.simulator.world import World

_SOURCES = ("source_system_tab", "source_screen_name", "source_type")
_MEMBER_COLUMNS = (
    "msno",
    "city",
    "bd",
    "gender",
    "registered_via",
    "registration_init_time",
    "expiration_date",
)
_ODD_AGES = (1, 2, 3, 101, 106, 131, 1051, -38)


def write_kkbox(folder: Path, world: World, plays: FirstPlays, metadata: Metadata) -> None:
    """Writes train, test (header only), members, songs, song_extra_info, clock and oracle.

    Every first play is a row of train.csv, in order of time, its label drawn with the horizon
    closed: as in the challenge, whoever made the file looked a month beyond its end.
    """
    columns = {
        "msno": words(world.user_ids, plays.users),
        "song_id": words(world.object_ids, plays.objects),
        **context_columns(world, plays.contexts, _SOURCES),
        "target": pa.array(plays.labels.astype(np.int8)),
    }
    write_columns(folder / "train.csv", columns)
    write_rows(folder / "test.csv", ("id", "msno", "song_id", *_SOURCES), ())
    row_ids = np.arange(len(plays))
    clock = {"row_id": pa.array(row_ids), "timestamp": pa.array(plays.times_s)}
    write_columns(folder / "clock.csv", clock)
    write_oracle(folder / "oracle.csv", row_ids, plays.probabilities)
    _write_members(folder / "members.csv", world)
    tracks = world.catalogue
    listed = np.flatnonzero(metadata.has_row)
    write_rows(
        folder / "songs.csv",
        ("song_id", "song_length", "genre_ids", "artist_name", "composer", "lyricist", "language"),
        (
            (
                world.object_ids[i],
                tracks.lengths_ms[i],
                metadata.genres[i],
                metadata.artists[i],
                metadata.composers[i],
                metadata.lyricists[i],
                metadata.languages[i],
            )
            for i in listed
        ),
    )
    write_rows(
        folder / "song_extra_info.csv",
        ("song_id", "name", "isrc"),
        ((world.object_ids[i], metadata.titles[i], metadata.isrcs[i]) for i in listed),
    )


def _write_members(path: Path, world: World) -> None:
    """Members; hidden ages are 0 or, rarely, nonsense, as users typed it."""
    people, parameters = world.population, world.parameters
    rng = stream(world.seed, "files: members")
    odd = rng.random(len(people)) < 0.01
    shown = np.where(odd, np.array(_ODD_AGES)[rng.integers(0, len(_ODD_AGES), len(people))], 0)
    ages = np.where(people.age_hidden, shown, people.ages)
    paid_days = rng.integers(-20, 300, len(people))
    expires = np.maximum(people.ends_s, people.registered_s) + paid_days * DAY_S

    def rows() -> Iterator[tuple[object, ...]]:
        registered, expired = _calendar_days(people.registered_s), _calendar_days(expires)
        for i, user in enumerate(world.user_ids):
            yield (
                user,
                parameters.cities[people.cities[i]].value,
                ages[i],
                people.genders[i],
                parameters.registration_channels[people.channels[i]].value,
                registered[i],
                expired[i],
            )

    write_rows(path, _MEMBER_COLUMNS, rows())


def _calendar_days(times_s: Ints) -> list[str]:
    """Epoch seconds as yyyymmdd in UTC."""
    days = times_s.astype("datetime64[s]").astype("datetime64[D]")
    return [str(day).replace("-", "") for day in days]
