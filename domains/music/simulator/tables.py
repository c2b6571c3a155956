"""Writes tables with the same bytes everywhere: UTF-8, line feeds, quotes only where needed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from domains.music.simulator.randomness import Floats, Ints
from domains.music.simulator.world import World


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a small CSV whose values may need quotes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_columns(path: Path, columns: Mapping[str, pa.Array]) -> None:
    """Writes a large table by its suffix, .csv or .parquet; values that need no quotes.

    Raises:
        pyarrow.ArrowInvalid: a CSV value would need quotes.
    """
    table = pa.table(dict(columns))
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path, compression="zstd")
        return
    options = pyarrow.csv.WriteOptions(
        quoting_style="none", quoting_header="none", batch_size=65_536
    )
    pyarrow.csv.write_csv(table, path, options)


def words(vocabulary: Sequence[str] | npt.NDArray[np.str_], codes: Ints) -> pa.Array:
    """The word of each code: (n,)."""
    return pa.array(vocabulary, pa.string()).take(pa.array(codes))


def context_columns(world: World, contexts: Ints, names: Sequence[str]) -> dict[str, pa.Array]:
    """Tab, screen and type of each play under the given column names."""
    rows = world.parameters.contexts
    vocabularies = (
        [row.tab for row in rows],
        [row.screen for row in rows],
        [row.type for row in rows],
    )
    return {
        name: words(vocabulary, contexts)
        for name, vocabulary in zip(names, vocabularies, strict=True)
    }


def write_oracle(path: Path, row_ids: Ints, probabilities: Floats) -> None:
    """Writes the truth in as many digits as read back the very same doubles."""
    columns = {"row_id": pa.array(row_ids), "true_probability": pa.array(probabilities)}
    write_columns(path, columns)
