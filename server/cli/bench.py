"""`encore bench`: the model zoo beside the ensemble, what leaks would fake, the speed of ears."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from core.domain import Domain
from core.examples import replay_examples
from core.log import EventLog
from core.models import RECIPES, Compute
from core.readers import read_log
from core.state.state import State
from core.zoo.ladder import climb, ladder_markdown, ladder_report
from core.zoo.plot import plot_leaks, plot_zoo
from core.zoo.protocol import Plan
from core.zoo.registry import NAMES
from core.zoo.report import zoo_markdown, zoo_report
from core.zoo.run import run_zoo
from core.zoo.settings import ZOO_SETTINGS
from domains import domain_named
from domains.music.audio.benchmark import bench_genre
from domains.music.genre import MusicGenre
from server.cli.options import (
    AsJson,
    DataDirectory,
    Device,
    DeviceName,
    DomainName,
    LogFormat,
    Recipe,
    Seed,
)
from server.cli.output import Report, print_json, progress_bars, stdout
from server.cli.tables import show_genre_bench

app = typer.Typer(
    help="Compare: every ordinary model on the ensemble's rows, and what leaks would fake.",
    no_args_is_help=True,
    add_completion=False,
)

Out = Annotated[Path, typer.Option("--out", help="Directory of the results; made when absent.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads of a fit; all when absent.")
]
OUT = Path("bench")


def _named_models(text: str | None) -> str | None:
    unknown = [name for name in (text or "").split(",") if name and name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(NAMES)}")
    return text


@app.command("models")
def models(
    domain: DomainName,
    data: DataDirectory,
    log_format: LogFormat = None,
    out: Out = OUT,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            help=f"Some of the models, by commas: {', '.join(NAMES)}.",
            callback=_named_models,
        ),
    ] = None,
    subsample: Annotated[
        int | None,
        typer.Option(
            "--subsample", min=100, help="Most rows that a slow method is fitted on, the latest."
        ),
    ] = None,
    recipe: Recipe = "standard",
    device: DeviceName = Device.CPU,
    threads: Threads = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Fit every model of the zoo as the ensemble is fitted; score the latest fifth once each.

    Results stand in OUT/models.md, .json and .png. Each model's is kept in OUT/models as it is
    finished, and a run that was interrupted goes on from there.
    """
    chosen = domain_named(domain)
    settings = ZOO_SETTINGS[recipe]
    if subsample is not None:
        settings = replace(settings, limits=settings.limits.capped(subsample))
    steps = replace(chosen.recipe, trainers=recipe)
    plan = Plan(steps, settings, Compute(device=device.value, threads=threads), seed)
    asked = [name for name in (only or "").split(",") if name]
    names = [name for name in NAMES if not asked or name in asked]
    with progress_bars() as report:
        log = _read(chosen, data, log_format, report)
        run = run_zoo(chosen, log, plan, out, names, progress=report)
    content = zoo_report(domain, run, plan, log.notes)
    _write(out, "models", content, zoo_markdown, plot_zoo)
    _say(content, zoo_markdown, out / "models.md", as_json=as_json)
    if run.kept and not as_json:
        kept = ", ".join(run.kept)
        stdout.print(f"taken from an earlier run: {kept}", highlight=False, markup=False)


@app.command("leaks")
def leaks(
    domain: DomainName,
    data: DataDirectory,
    log_format: LogFormat = None,
    out: Out = OUT,
    recipe: Recipe = "standard",
    threads: Threads = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Fit the ensemble's LightGBM on honest features, and with each leak; say what leaks fake.

    Results stand in OUT/leaks.md, .json and .png.
    """
    chosen = domain_named(domain)
    steps = replace(chosen.recipe, trainers=recipe)
    trainer = RECIPES[recipe](Compute(threads=threads))["lightgbm"]
    with progress_bars() as report:
        log = _read(chosen, data, log_format, report)
        state = State(chosen.schema, log.label_rule.horizon_s, chosen.tie_rule)
        table = replay_examples(
            log,
            state,
            base_share=steps.base_share,
            test_start=steps.test_start,
            seed=seed,
            progress=report,
        )
        found = climb(log, chosen.schema, table, steps, trainer, seed=seed, progress=report)
    content = ladder_report(domain, found, table, steps, seed=seed, notes=log.notes)
    _write(out, "leaks", content, ladder_markdown, plot_leaks)
    _say(content, ladder_markdown, out / "leaks.md", as_json=as_json)


def _read(domain: Domain, data: Path, log_format: str | None, report: Report) -> EventLog:
    report("read the log", 0.0)
    log = read_log(domain.readers, data, log_format)
    report("read the log", 1.0)
    return log


def _write(
    out: Path,
    name: str,
    content: Mapping[str, Any],
    markdown: Callable[[Mapping[str, Any]], str],
    plot: Callable[[Mapping[str, Any], Path], None],
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (out / f"{name}.json").write_text(text, encoding="utf-8")
    (out / f"{name}.md").write_text(markdown(content), encoding="utf-8")
    plot(content, out / f"{name}.png")


def _say(
    content: Mapping[str, Any],
    markdown: Callable[[Mapping[str, Any]], str],
    written: Path,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(content)
        return
    # Plain, so that the table can be pasted: a terminal's width would break its lines.
    stdout.print(markdown(content), markup=False, highlight=False, soft_wrap=True)
    stdout.print(f"wrote {written}, .json and .png", markup=False, highlight=False)


@app.command("genre")
def genre(
    sounds: Annotated[
        Path | None,
        typer.Option("--sounds", help="Sound library to search; the shipped clips when absent."),
    ] = None,
    calls: Annotated[
        int, typer.Option("--calls", min=8, help="Clips heard one after the other on one core.")
    ] = 200,
    clips: Annotated[
        int, typer.Option("--clips", min=8, help="Clips heard two at a time on two cores.")
    ] = 5_000,
    as_json: AsJson = False,
) -> None:
    """GenreNeighbor from the bytes of a 30 s clip to the answer: time, throughput and memory."""
    with progress_bars() as report_progress:
        capability = MusicGenre().build(sounds=sounds, seed=0, progress=None)
        report = bench_genre(
            capability.neighbors, calls=calls, many=clips, progress=report_progress
        )
    if as_json:
        print_json(report)
    else:
        show_genre_bench(report)
