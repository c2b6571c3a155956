"""The command line `encore`."""

from __future__ import annotations

import sys

from core.errors import EncoreError
from encore_client import EncoreClientError
from server.cli.lazy import LazyCommand, lazy_app
from server.cli.output import complain

COMMANDS = {
    "demo": LazyCommand(
        "server.cli.demo",
        "demo",
        "Simulate listeners, train on them, serve over gRPC and make one call of each kind.",
    ),
    "simulate": LazyCommand(
        "server.cli.simulate",
        "simulate",
        "Write a simulated log: same seed, same bytes.",
    ),
    "train": LazyCommand(
        "server.cli.train",
        "train",
        "Measure the recipe on the log's latest fifth, refit it on everything, publish a bundle.",
    ),
    "evaluate": LazyCommand(
        "server.cli.evaluate",
        "evaluate",
        "Train on the past of the log's latest fifth of examples and score that fifth once.",
    ),
    "serve": LazyCommand(
        "server.cli.serve",
        "serve",
        "Serve until SIGTERM or Ctrl-C. What is not given comes from ENCORE_* variables.",
    ),
    "why-not": LazyCommand(
        "server.cli.why_not",
        "why_not",
        "Say at which stage of a Recommend each object falls out, and why. Stores nothing.",
    ),
    "bench": LazyCommand(
        "server.cli.bench",
        "app",
        "Compare: every ordinary model on the ensemble's rows, and what leaks would fake.",
    ),
    "genre": LazyCommand(
        "server.cli.genre",
        "app",
        "Audio of your own: listen to it once, use it often.",
    ),
}
"""In the order of the help."""

app = lazy_app(
    "encore",
    "Will this user come back to this object? Simulate, train, evaluate and serve.",
    COMMANDS,
)


def main() -> None:
    """Run a command; exit codes: 0 done, 1 refused with a reason, 2 usage, 130 interrupted."""
    try:
        app()
    except (EncoreError, EncoreClientError) as error:
        complain(str(error))
        sys.exit(1)


__all__ = ["COMMANDS", "app", "main"]
