"""`encore simulate`: a log of a world whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import FieldViolation, InvalidRequestError
from domains import domain_named
from server.cli.options import AsJson, DomainName, Seed
from server.cli.output import one_step, print_json, progress_bars, stdout


def simulate(
    domain: DomainName,
    out: Annotated[Path, typer.Option("--out", help="New or empty directory for the files.")],
    events: Annotated[int, typer.Option("--events", min=1, help="Size of the log.")] = 200_000,
    seed: Seed = 0,
    log_format: Annotated[
        str | None, typer.Option("--format", help="Files to write; the domain's usual ones.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a simulated log: same seed, same bytes."""
    simulators = domain_named(domain).simulators
    name = log_format or next(iter(simulators))
    if name not in simulators:
        known = ", ".join(simulators)
        raise InvalidRequestError([FieldViolation("--format", f"{name!r} is not one of {known}")])
    with progress_bars() as report:
        simulators[name](
            out, events=events, seed=seed, progress=one_step(report, f"simulate {domain}")
        )
    files = sorted(path.name for path in out.iterdir())
    if as_json:
        print_json({"domain": domain, "out": str(out), "format": name, "files": files})
    else:
        stdout.print(f"wrote {', '.join(files)} to {out}", highlight=False)
