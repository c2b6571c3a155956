"""`encore genre`: what an operator does with audio of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import FieldViolation, InvalidRequestError
from domains.music.audio.content import MOST_DIMENSIONS, write_content
from domains.music.audio.library import SoundLibrary, read_ids, update
from server.cli.genre_evaluate import evaluate
from server.cli.genre_previews import previews
from server.cli.genre_train import train
from server.cli.options import AsJson
from server.cli.output import one_step, print_json, progress_bars
from server.cli.tables import show_library_update

app = typer.Typer(
    help="Audio of your own: listen to it once, use it often.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("previews")(previews)

AudioDirectory = Annotated[
    Path, typer.Option("--audio", help="Directory of audio files: wav, flac, ogg, opus or mp3.")
]


@app.command("index")
def index(
    audio: AudioDirectory,
    out: Annotated[
        Path, typer.Option("--out", help="Directory of the sound library; made when absent.")
    ],
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids",
            help="CSV of file,track_id: files that it does not name are left out. When absent, a "
            "track's id is its file's path without suffix.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes that listen; one a core when absent."),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try again what could not be described before."),
    ] = False,
    content: Annotated[
        Path | None,
        typer.Option(
            "--content",
            help=f"Write object_id,vector (at most {MOST_DIMENSIONS} numbers a track) to this "
            "Parquet file, for `encore train --content`.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Listen to every file that is new or changed; interrupted, the next call goes on from there.

    Files that cannot be described are named with the reason; they do not fail the command.
    """
    if content is not None:
        _check_content_path(content)  # now, not after hours of listening
    with progress_bars() as report:
        done = update(
            audio,
            out,
            ids=None if ids is None else read_ids(ids),
            workers=workers,
            retry_failed=retry_failed,
            progress=one_step(report, f"listen to {audio}"),
        )
    library = SoundLibrary.open(out)
    result = {
        "library": str(out),
        "tracks": len(library),
        "heard": done.heard,
        "unchanged": done.unchanged,
        "removed": done.removed,
        "unlisted": done.unlisted,
        "failed": [{"file": file, "reason": reason} for file, reason in done.failed],
    }
    if content is not None:
        result["content_vectors"] = write_content(content, library)
    if as_json:
        print_json(result)
    else:
        show_library_update(result)


def _check_content_path(path: Path) -> None:
    problem = ""
    if path.suffix != ".parquet":
        problem = f"{path.name} does not end in .parquet: give it that suffix"
    elif not path.parent.is_dir():
        problem = f"there is no directory {path.parent}: create it first"
    if problem:
        raise InvalidRequestError([FieldViolation("--content", problem)])
