"""How commands talk: progress on stderr, results on stdout, JSON when asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

stdout = Console()
stderr = Console(stderr=True)

Report = Callable[[str, float], None]
"""Called with what is being done and the fraction done."""


def complain(message: str) -> None:
    """Say on stderr why the command refused."""
    stderr.print("[bold red]encore:[/]", end=" ")
    stderr.print(message, markup=False, highlight=False)


def print_json(content: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    stdout.print_json(json.dumps(content, ensure_ascii=False))


@contextmanager
def progress_bars() -> Iterator[Report]:
    """A bar for each step, shown on stderr; steps appear as they are reported."""
    bars = Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=stderr,
    )
    tasks: dict[str, Any] = {}

    def report(what: str, done: float) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=1.0)
        bars.update(tasks[what], completed=min(done, 1.0))

    with bars:
        yield report


def one_step(report: Report, what: str) -> Callable[[float], None]:
    """The progress of a single named step."""
    report(what, 0.0)
    return lambda done: report(what, done)
