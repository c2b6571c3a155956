"""The command line `encore`."""

from __future__ import annotations

import sys

import typer

from core.errors import EncoreError
from encore_client import EncoreClientError
from server.cli import bench, demo, evaluate, genre, serve, simulate, train, why_not
from server.cli.output import complain

app = typer.Typer(
    name="encore",
    help="Will this user come back to this object? Simulate, train, evaluate and serve.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("simulate")(simulate.simulate)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("serve")(serve.serve)
app.command("why-not")(why_not.why_not)
app.add_typer(bench.app, name="bench")
app.add_typer(genre.app, name="genre")


def main() -> None:
    """Run a command; exit codes: 0 done, 1 refused with a reason, 2 usage, 130 interrupted."""
    try:
        app()
    except (EncoreError, EncoreClientError) as error:
        complain(str(error))
        sys.exit(1)


__all__ = ["app", "main"]
