"""`encore train` and what it shares with `encore evaluate`: read, replay, measure."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from core.bundle import read_manifest
from core.content_file import read_content
from core.domain import Domain, StoredGenre
from core.errors import FieldViolation, InvalidRequestError
from core.log import EventLog
from core.publish import Evaluated, evaluate_log, publish, report_of
from core.readers import read_log
from core.training import Recipe
from domains import domain_named
from server.cli.options import (
    BUNDLES,
    AsJson,
    Bundles,
    ContentFile,
    DataDirectory,
    Device,
    DeviceName,
    DomainName,
    LogFormat,
    ScratchDirectory,
    Seed,
    SoundsDirectory,
    compute_on,
    git_commit,
    new_version,
    scratch_in,
)
from server.cli.options import Recipe as RecipeName
from server.cli.output import Report, print_json, progress_bars, stdout
from server.cli.tables import show_rank, show_report


def read_and_measure(
    domain: Domain,
    data: Path,
    log_format: str | None,
    recipe: Recipe,
    device: Device,
    seed: int,
    scratch: Path | None,
    content: Path | None,
    report: Report,
    *,
    with_lists: bool = False,
) -> tuple[EventLog, Evaluated]:
    """Read a log and evaluate the recipe on it; what the machine lacks is found out first."""
    compute, room = compute_on(device), scratch_in(scratch)
    vectors = None if content is None else read_content(content, domain.content_name)
    report("read the log", 0.0)
    log = read_log(domain.readers, data, log_format)
    report("read the log", 1.0)
    return log, evaluate_log(
        domain,
        log,
        recipe,
        compute,
        seed=seed,
        progress=report,
        scratch=room,
        content=vectors,
        with_lists=with_lists,
    )


def genre_of(domain: Domain, sounds: Path, seed: int) -> StoredGenre:
    """The genre capability of a sound library; InvalidRequestError if the domain has none."""
    if domain.genre is None:
        raise InvalidRequestError(
            [FieldViolation("--sounds", f"objects of {domain.name} have no sound: leave it out")]
        )
    return domain.genre.build(sounds=sounds, seed=seed, progress=None)


def train(
    domain: DomainName,
    data: DataDirectory,
    log_format: LogFormat = None,
    bundles: Bundles = BUNDLES,
    recipe: RecipeName = "standard",
    device: DeviceName = Device.CPU,
    scratch: ScratchDirectory = None,
    content: ContentFile = None,
    sounds: SoundsDirectory = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure the recipe on the log's latest fifth, refit it on everything, publish a bundle."""
    chosen = domain_named(domain)
    steps = replace(chosen.recipe, trainers=recipe)
    with progress_bars() as report:
        # First of all: a library that cannot be used is refused before hours of training.
        genre = None if sounds is None else genre_of(chosen, sounds, seed)
        log, evaluated = read_and_measure(
            chosen, data, log_format, steps, device, seed, scratch, content, report, with_lists=True
        )
        directory = publish(
            chosen,
            log,
            evaluated,
            steps,
            compute_on(device),
            root=bundles,
            version=new_version(),
            published_at_s=time.time(),
            commit=git_commit(),
            seed=seed,
            genre=genre,
            progress=report,
        )
    measured = report_of(chosen, log, evaluated, steps, seed=seed)
    rank = read_manifest(directory).content["rank"]
    if as_json:
        print_json({"bundle": str(directory), **measured, "rank": rank})
    else:
        show_report(measured)
        show_rank(rank)
        stdout.print(f"published {directory}", highlight=False)
