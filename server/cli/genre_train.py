"""`encore genre train`: listen to a catalogue and learn its genres from labels."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.errors import FieldViolation, InvalidRequestError
from domains.music.audio.labelled import fit_on_library, read_labels
from domains.music.audio.library import SoundLibrary, read_ids, update
from server.cli.options import AsJson, Seed
from server.cli.output import one_step, print_json, progress_bars, stdout


def train(
    audio: Annotated[
        Path, typer.Option("--audio", help="Directory of audio files: wav, flac, ogg or mp3.")
    ],
    labels: Annotated[
        Path,
        typer.Option(
            "--labels",
            help="CSV of track_id (or file) and genre, several separated by |; with a column "
            "artist, artists are held out whole when the model is judged.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Directory of the sound library; made when absent.")
    ],
    ids: Annotated[
        Path | None, typer.Option("--ids", help="CSV of file,track_id, as for index.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes that listen; one a core when absent."),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Listen to what is new, then fit a genre model and keep it in the library.

    `encore train music --sounds LIBRARY` takes it into a bundle.
    """
    if not labels.is_file():  # now, not after hours of listening
        what = f"there is no file {labels}: name the CSV of labels"
        raise InvalidRequestError([FieldViolation("--labels", what)])
    with progress_bars() as report:
        update(
            audio,
            out,
            ids=None if ids is None else read_ids(ids),
            workers=workers,
            progress=one_step(report, f"listen to {audio}"),
        )
        library = SoundLibrary.open(out)
        model = fit_on_library(
            out,
            library,
            read_labels(labels, library),
            seed,
            os.cpu_count() or 1,
            one_step(report, "fit the genre model"),
        )
    if as_json:
        print_json(
            {
                "library": str(out),
                "tracks": len(library),
                "failed": [{"file": file, "reason": reason} for file, reason in library.errors],
                "genres": list(model.genres),
                "several": model.several,
                "report": asdict(model.report),
                "note": model.note,
            }
        )
        return
    stdout.print(f"{len(library):,} tracks heard, {len(library.errors)} failed", highlight=False)
    stdout.print(f"{', '.join(model.genres)}\n{model.note}", markup=False, highlight=False)
