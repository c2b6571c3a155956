"""`encore evaluate`: the honest figures of a log, and predictions that anyone can check."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from core.errors import FieldViolation, InvalidRequestError
from core.publish import report_of, write_predictions
from domains import domain_named
from server.cli.options import (
    AsJson,
    ContentFile,
    DataDirectory,
    Device,
    DeviceName,
    DomainName,
    LogFormat,
    Recipe,
    ScratchDirectory,
    Seed,
)
from server.cli.output import print_json, progress_bars, stdout
from server.cli.tables import show_report
from server.cli.train import read_and_measure


def evaluate(
    domain: DomainName,
    data: DataDirectory,
    log_format: LogFormat = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="Write row_id,probability of the test block here."),
    ] = None,
    recipe: Recipe = "standard",
    device: DeviceName = Device.CPU,
    scratch: ScratchDirectory = None,
    content: ContentFile = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train on the past of the log's latest fifth of examples and score that fifth once."""
    if predictions is not None and not predictions.parent.is_dir():
        problem = f"there is no directory {predictions.parent}: create it first"
        raise InvalidRequestError([FieldViolation("--predictions", problem)])
    chosen = domain_named(domain)
    steps = replace(chosen.recipe, trainers=recipe)
    with progress_bars() as report:
        log, evaluated = read_and_measure(
            chosen, data, log_format, steps, device, seed, scratch, content, report
        )
    if predictions is not None:
        write_predictions(predictions, log, evaluated.evaluation)
    measured = report_of(chosen, log, evaluated, steps, seed=seed)
    if as_json:
        print_json(measured)
        return
    show_report(measured)
    if predictions is not None:
        rows = len(evaluated.evaluation.rows)
        stdout.print(f"wrote {rows} predictions to {predictions}", highlight=False)
