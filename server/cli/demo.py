"""`encore demo`: from nothing to answers over gRPC, with no arguments needed."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from core.errors import InvalidDataError
from core.log import EventLog
from core.publish import evaluate_log, publish, report_of
from core.readers import read_log
from domains import DOMAINS
from server.cli.demo_calls import ask_everything
from server.cli.demo_catalogue import add_shipped_clips
from server.cli.options import Device, Seed, compute_on, git_commit, new_version
from server.cli.output import Report, one_step, progress_bars, stderr, stdout
from server.cli.tables import show_report
from server.lifecycle import EncoreServer, Ports, run_until_signal
from server.logs import json_log
from server.serve import assembled
from server.settings import Settings

DAY_S = 86_400.0
WORLD_DAYS = 151
"""The simulated log ends about now, so that the wall clock goes on where it stops."""


def demo(
    events: Annotated[
        int,
        typer.Option("--events", min=5_000, help="First plays to simulate; repeats come on top."),
    ] = 100_000,
    seed: Seed = 0,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Keep data, bundle and database here; else they are removed."),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Port of the server.")] = 50051,
    once: Annotated[bool, typer.Option("--once", help="Exit after the sample calls.")] = False,
) -> None:
    """Simulate listeners, train on them, serve over gRPC and make one call of each kind."""
    with _directory(directory) as place, progress_bars() as report:
        log = _prepare(place, events, seed, report)
        settings = Settings(
            bundles=place / "bundles",
            database_url=f"sqlite:///{place / 'encore.sqlite3'}",
            host="127.0.0.1",
            # A run that ends by itself must not stumble over a server that is there already.
            port=0 if once else port,
            admin_port=0 if once else 50052,
            metrics_port=0 if once else 9464,
        )
        report("start the server", 0.0)
        with (
            (place / "server.log").open("w", encoding="utf-8") as lines,
            assembled(settings, log=json_log(lines)) as server,
        ):
            asyncio.run(_serve_and_ask(server, log, report, once=once))


def _prepare(place: Path, events: int, seed: int, report: Report) -> EventLog:
    """Simulate, train, show the figures, publish."""
    music = DOMAINS["music"]
    data = place / "data"
    music.simulators["generic"](
        data,
        events=events,
        seed=seed,
        start_s=time.time() - WORLD_DAYS * DAY_S,
        progress=one_step(report, "simulate listeners"),
    )
    add_shipped_clips(data)
    report("read the log", 0.0)
    log = read_log(music.readers, data)
    report("read the log", 1.0)
    recipe = replace(music.recipe, trainers="quick")
    compute = compute_on(Device.CPU)
    evaluated = evaluate_log(
        music, log, recipe, compute, seed=seed, progress=report, with_lists=True
    )
    publish(
        music,
        log,
        evaluated,
        recipe,
        compute,
        root=place / "bundles",
        version=new_version(),
        published_at_s=time.time(),
        commit=git_commit(),
        seed=seed,
        progress=report,
    )
    show_report(report_of(music, log, evaluated, recipe, seed=seed))
    return log


async def _serve_and_ask(
    server: EncoreServer, log: EventLog, report: Report, *, once: bool
) -> None:
    """Start, ask, and serve on until Ctrl-C unless `once`."""

    async def ask(ports: Ports) -> None:
        report("start the server", 1.0)
        await ask_everything(ports, log)
        if not once:
            stdout.print(
                f"\nServing on 127.0.0.1:{ports.api}, metrics on "
                f"http://127.0.0.1:{ports.metrics}/metrics. Ctrl-C stops.",
                highlight=False,
            )

    if once:
        ports = await server.start()
        try:
            await ask(ports)
        finally:
            await server.stop()
    else:
        await run_until_signal(server, serving=ask)


@contextmanager
def _directory(directory: Path | None) -> Iterator[Path]:
    """The given directory, which must be new or empty, or one that is removed at the end."""
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="encore-demo-") as name:
            yield Path(name)
        return
    if directory.exists() and any(directory.iterdir()):
        raise InvalidDataError(str(directory), "it is not empty", "Name a new directory")
    directory.mkdir(parents=True, exist_ok=True)
    yield directory
    stderr.print(f"kept in {directory}", highlight=False)
