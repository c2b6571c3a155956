"""`encore genre previews`: preview windows of a sound library into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domains.music.track_audio import tracks_of_library
from server.cli.options import AsJson
from server.cli.output import print_json, stdout
from server.ports import ObjectAudio
from server.store import migrate, open_store

DOMAIN = "music"


def previews(
    sounds: Annotated[Path, typer.Option("--sounds", help="Sound library (`encore genre index`).")],
    database_url: Annotated[
        str,
        typer.Option(
            "--database-url",
            envvar="ENCORE_DATABASE_URL",
            help="SQLite or PostgreSQL URL of the store.",
        ),
    ] = "sqlite:///encore.sqlite3",
    as_json: AsJson = False,
) -> None:
    """Put previews, moods and genres of all tracks into the store, in place of those before.

    All or nothing, and the same again when run again; servers see them with the next page.
    """
    tracks = tracks_of_library(sounds)
    migrate(database_url)
    rows = [
        ObjectAudio(
            track.track_id,
            track.preview.start_ms,
            track.preview.length_ms,
            track.moods,
            track.genres,
            source=sounds.name,
        )
        for track in tracks
    ]
    with open_store(database_url) as store:
        store.object_audio.replace(DOMAIN, rows)
    windows = sum(row.preview_length_ms > 0 for row in rows)
    if as_json:
        print_json({"tracks": len(rows), "previews": windows, "library": str(sounds)})
    else:
        stdout.print(f"stored {windows:,} previews of {len(rows):,} tracks", highlight=False)
