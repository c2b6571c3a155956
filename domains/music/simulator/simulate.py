"""Creates a world, lets it live, and writes its log in one of two formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from core.errors import FieldViolation, InvalidRequestError
from core.staging import staged_directory
from domains.music.simulator.events import draw_all_plays, draw_first_plays
from domains.music.simulator.generic_files import write_generic
from domains.music.simulator.kkbox_files import write_kkbox
from domains.music.simulator.metadata import create_metadata
from domains.music.simulator.world import DEFAULT_START_S, World

LogFormat = Literal["kkbox", "generic"]
TableFormat = Literal["csv", "parquet"]
WORLD_FILE = "world.json"


def simulate(
    out: Path,
    *,
    events: int,
    seed: int,
    format: LogFormat = "kkbox",  # noqa: A002 - the word of the command line
    table_format: TableFormat = "csv",
    start_s: int = DEFAULT_START_S,
    progress: Callable[[float], None] | None = None,
) -> World:
    """Simulates a log and writes it to `out`; equal arguments write equal bytes.

    Args:
        out: A directory that does not exist or is empty.
        events: First plays in the log. Both formats hold the same ones; the generic format has
            the repeats on top.
        seed: Zero or positive.
        format: "kkbox": first plays with labels and a clock. "generic": every play, no labels,
            pools.
        table_format: Of the events in the generic format.
        start_s: Epoch seconds at which the log begins; it lasts `parameters.days` days.
        progress: Called with rising fractions up to 1.0.

    Returns:
        The world, ready to be asked; `World.open(out / "world.json")` re-creates it.

    Raises:
        InvalidDataError: `out` is not empty, or a file.
        InvalidRequestError: too few events, a negative seed or an unknown format.
    """
    report = progress if progress is not None else _no_progress
    if format not in get_args(LogFormat) or table_format not in get_args(TableFormat):
        raise InvalidRequestError(
            [
                FieldViolation(
                    "format",
                    f"got {format!r} with tables as {table_format!r}: choose "
                    f"{' or '.join(get_args(LogFormat))}, {' or '.join(get_args(TableFormat))}",
                )
            ]
        )
    if format == "kkbox" and table_format != "csv":
        raise InvalidRequestError(
            [FieldViolation("table_format", "KKBOX files are CSV: leave it at csv")]
        )
    with staged_directory(out, last=WORLD_FILE) as folder:
        world = World(events, seed, start_s=start_s)
        report(0.1)
        first = draw_first_plays(world)
        report(0.5)
        metadata = create_metadata(world)
        report(0.65)
        if format == "kkbox":
            write_kkbox(folder, world, first, metadata)
        else:
            plays = draw_all_plays(world, first)
            report(0.75)
            write_generic(folder, world, plays, first.probabilities, metadata, table_format)
        document = json.dumps(world.to_json(), indent=1, ensure_ascii=False)
        (folder / WORLD_FILE).write_text(document + "\n", encoding="utf-8")
        report(0.98)
    report(1.0)
    return world


def _no_progress(fraction: float) -> None:
    """Nobody is watching."""
