"""`encore genre evaluate`: how often the genre model is right about artists it has not heard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from core.errors import FieldViolation, InvalidRequestError
from domains.music.audio.genre_evaluation import evaluate_genres
from domains.music.audio.genre_files import read_clip_table
from domains.music.audio.genre_plot import plot_confusion
from server.cli.options import AsJson, Seed
from server.cli.output import print_json, progress_bars, stdout


def evaluate(
    features: Annotated[
        Path,
        typer.Option(
            "--features",
            help="Folder to learn from: a CSV (filename, label, numbers; split, artist optional) "
            "and, optionally, an npz of taggrams (X, IDS).",
        ),
    ],
    test: Annotated[
        Path | None,
        typer.Option("--test", help="Folder to judge on; folds of the first when absent."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="PNG of the confusion matrices; none when absent."),
    ] = None,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, max=100, help="How often folds are dealt anew.")
    ] = 3,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Judge the genre model on clips of artists that it has not heard."""
    if picture is not None and not picture.parent.is_dir():  # now, not after minutes of fitting
        what = f"there is no directory {picture.parent}: create it first"
        raise InvalidRequestError([FieldViolation("--picture", what)])
    learn = read_clip_table(features)
    judged = None if test is None else read_clip_table(test)
    with progress_bars() as report_progress:
        report = evaluate_genres(
            learn,
            judged,
            seed=seed,
            repeats=repeats,
            n_threads=os.cpu_count() or 1,
            progress=report_progress,
        )
    if picture is not None:
        plot_confusion(report, picture)
    if as_json:
        print_json(report)
        return
    for judged_set in report["sets"]:
        stdout.print(_table(judged_set))
    if picture is not None:
        stdout.print(f"confusion matrices: {picture}", markup=False, highlight=False)


def _table(judged: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"{judged['columns']} ({judged['n_columns']} columns): {judged['how']}; "
        f"{judged['n_fitted']} clips to learn from, {judged['n_judged']} judged",
        title_justify="left",
    )
    for heading in (
        "model",
        "accuracy",
        "95 %",
        "macro-F1",
        "95 %",
        "log-loss",
        "calibration error",
    ):
        table.add_column(heading)
    for row in judged["models"]:
        table.add_row(
            row["title"],
            f"{row['accuracy']:.3f}",
            f"{row['accuracy_low']:.3f}–{row['accuracy_high']:.3f}",
            f"{row['macro_f1']:.3f}",
            f"{row['macro_f1_low']:.3f}–{row['macro_f1_high']:.3f}",
            f"{row['log_loss']:.3f}",
            f"{row['calibration_error']:.3f}",
        )
    return table
