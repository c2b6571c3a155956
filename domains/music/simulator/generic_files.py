"""Writes a simulated log in the generic format: every play, repeats included, and pools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from domains.music.simulator.events import Plays
from domains.music.simulator.metadata import Metadata
from domains.music.simulator.randomness import Floats
from domains.music.simulator.tables import (
    context_columns,
    words,
    write_columns,
    write_oracle,
    write_rows,
)
from domains.music.simulator.world import World

_OBJECT_COLUMNS = (
    "object_id",
    "title",
    "artist",
    "genres",
    "language",
    "composer",
    "lyricist",
    "isrc",
    "length_s",
)
_USER_COLUMNS = ("user_id", "city", "gender", "registered_via", "age", "registered_at")


def write_generic(
    folder: Path,
    world: World,
    plays: Plays,
    probabilities: Floats,
    metadata: Metadata,
    suffix: str,
) -> None:
    """Writes events, objects, users, pools and oracle; `suffix` (csv, parquet) is of the events.

    There is no label: it follows from the plays. `row_id` of oracle.csv is the 0-based data row
    of events at which a pair is played for the first time; `probabilities` are by first play.
    """
    columns = {
        "user_id": words(world.user_ids, plays.users),
        "object_id": words(world.object_ids, plays.objects),
        "timestamp": pa.array(plays.times_s),
        **context_columns(world, plays.contexts, ("source_tab", "source_screen", "source_type")),
        "outcome": words(["play"], np.zeros(len(plays.users), dtype=np.int64)),
    }
    write_columns(folder / f"events.{suffix}", columns)
    row_ids = np.flatnonzero(plays.first_play >= 0)
    write_oracle(folder / "oracle.csv", row_ids, probabilities[plays.first_play[row_ids]])
    _write_objects(folder / "objects.csv", world, metadata)
    _write_users(folder / "users.csv", world)
    pools = {"royalty_free": [str(world.object_ids[i]) for i in metadata.royalty_free]}
    (folder / "pools.json").write_text(json.dumps(pools, indent=1) + "\n", encoding="utf-8")


def _write_objects(path: Path, world: World, metadata: Metadata) -> None:
    seconds = np.round(world.catalogue.lengths_ms / 1000.0, 3)
    write_rows(
        path,
        [
            "object_id",
            "title",
            "artist",
            "genres",
            "language",
            "composer",
            "lyricist",
            "isrc",
            "length_s",
        ],
        (
            (
                world.object_ids[i],
                metadata.titles[i],
                metadata.artists[i],
                metadata.genres[i],
                metadata.languages[i],
                metadata.composers[i],
                metadata.lyricists[i],
                metadata.isrcs[i],
                repr(float(seconds[i])),
            )
            for i in np.flatnonzero(metadata.has_row)
        ),
    )


def _write_users(path: Path, world: World) -> None:
    people, parameters = world.population, world.parameters
    registered = people.registered_s.astype("datetime64[s]").astype("datetime64[D]")
    write_rows(
        path,
        _USER_COLUMNS,
        (
            (
                user,
                parameters.cities[people.cities[i]].value,
                people.genders[i],
                parameters.registration_channels[people.channels[i]].value,
                "" if people.age_hidden[i] else people.ages[i],
                registered[i],
            )
            for i, user in enumerate(world.user_ids)
        ),
    )
