"""`encore evaluate`: the honest figures of a log: of its labels, of lists made or lists shown."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.errors import FieldViolation, InvalidRequestError
from core.publish import report_of, write_predictions
from domains import domain_named
from server.cli.evaluate_lists import evaluate_lists
from server.cli.evaluate_policy import PolicyQuestion, evaluate_policy
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
    compute_on,
)
from server.cli.output import print_json, progress_bars, stdout
from server.cli.tables import show_report
from server.cli.train import read_and_measure


class What(StrEnum):
    """What is evaluated."""

    LABELS = "labels"
    """Score: does the user come back to the object of an event?"""
    LISTS = "lists"
    """Recommend: does the user take what stands in a list?"""
    POLICY = "policy"
    """Recommend as it served: what did its lists earn, what would others have earned?"""


def evaluate(
    domain: DomainName,
    data: DataDirectory | None = None,
    log_format: LogFormat = None,
    what: Annotated[
        What,
        typer.Option(
            "--what",
            help="Probabilities of logged events, lists made at a moment, or lists as they served.",
        ),
    ] = What.LABELS,
    cut: Annotated[
        str,
        typer.Option(
            "--cut",
            help="Lists: made from what precedes this share of the log's time (0.8; of each "
            "user's sessions where the log counts these), or this many days (292d).",
        ),
    ] = "0.8",
    baselines_only: Annotated[
        bool, typer.Option("--baselines-only", help="Lists: judge the tuned baselines alone.")
    ] = False,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            envvar="ENCORE_DATABASE_URL",
            help="Policy: the store of the server.",
        ),
    ] = None,
    exploration: Annotated[
        float,
        typer.Option(
            "--exploration",
            min=0.0,
            max=1.0,
            help="Policy: estimate what lists that explore at this rate would have earned.",
        ),
    ] = 0.0,
    window_hours: Annotated[
        float,
        typer.Option(
            "--window-hours",
            min=0.0,
            help="Policy: feedback so long after a list was shown belongs to it.",
        ),
    ] = 24.0,
    clip: Annotated[
        float | None,
        typer.Option("--clip", min=1.0, help="Policy: cut importance weights to this."),
    ] = None,
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
    """Train on the past of the log's latest fifth of examples and score that fifth once.

    With `--what lists`, judge lists that are made at a moment of the log by what follows it,
    beside tuned baselines.

    With `--what policy`, read the lists that a server has shown and what users did with them: what
    they earned, and what lists that explore at another rate would have.
    """
    if predictions is not None and not predictions.parent.is_dir():
        problem = f"there is no directory {predictions.parent}: create it first"
        raise InvalidRequestError([FieldViolation("--predictions", problem)])
    chosen = domain_named(domain)
    if what is What.POLICY:
        if database_url is None:
            raise _missing("--database-url", "name the store of the server")
        asked = PolicyQuestion(database_url, exploration, window_hours * 3600.0, clip, seed)
        evaluate_policy(chosen, asked, as_json=as_json)
        return
    if data is None:
        raise _missing("--data", "name the directory of a log")
    steps = replace(chosen.recipe, trainers=recipe)
    if what is What.LISTS:
        evaluate_lists(
            chosen,
            data,
            log_format,
            cut=cut,
            baselines_only=baselines_only,
            recipe=steps,
            compute=compute_on(device),
            seed=seed,
            as_json=as_json,
        )
        return
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


def _missing(option: str, remedy: str) -> InvalidRequestError:
    return InvalidRequestError([FieldViolation(option, f"is missing: {remedy}")])
