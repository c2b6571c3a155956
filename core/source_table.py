"""Tables of files at the edge: CSV and Parquet read strictly, faults named by file and line."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from core.errors import InvalidDataError

BLOCK_BYTES = 4 * 1024 * 1024
"""What Arrow parses at once; a row must fit into it."""


@dataclass(frozen=True)
class SourceTable:
    """The rows of one file, in file order."""

    path: Path
    rows: pa.Table
    """CSV: strings throughout. Parquet: the file's own types."""
    ignored: tuple[str, ...] = ()
    """Columns that the file has and nobody asked for."""

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def __contains__(self, column: str) -> bool:
        return column in self.rows.column_names

    def place(self, row: int) -> str:
        """Where a row stands: `events.csv:17` (the header is line 1) or `events.parquet row 15`.

        Quoted fields may span lines, so the line is looked up in the file, on faults only.
        """
        if self.path.suffix == ".parquet":
            return f"{self.path.name} row {row}"
        lines = (line for line, _ in _records(self.path, forgiving=True))
        line = next(itertools.islice(lines, row + 1, None), row + 2)
        return f"{self.path.name}:{line}"

    def fault(self, row: int, column: str, problem: str, remedy: str) -> InvalidDataError:
        """The error to raise for one cell."""
        return InvalidDataError(f"{self.place(row)}, column {column}", problem, remedy)


def find_table(directory: Path, stem: str) -> Path | None:
    """`stem.csv` or `stem.parquet` in the directory, None when neither exists.

    Raises:
        InvalidDataError: both exist, so that it is unclear which one counts.
    """
    found = [p for p in (directory / f"{stem}.csv", directory / f"{stem}.parquet") if p.is_file()]
    if len(found) > 1:
        raise InvalidDataError(
            str(directory), f"{found[0].name} and {found[1].name} both exist", "Keep one of them"
        )
    return found[0] if found else None


def read_table(path: Path, *, required: Sequence[str], optional: Sequence[str] = ()) -> SourceTable:
    """Read the named columns of a CSV or Parquet file; other columns are reported, not read.

    Args:
        path: the file; the suffix tells the format.
        required: columns that must exist.
        optional: columns that may exist.

    Raises:
        InvalidDataError: the file is empty, cut, ragged, not UTF-8 or lacks a required column.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path, required, optional)
    header = read_header(path)
    present = _present(path.name + ":1", header, required, optional)
    return _read_rows(path, header, present)


def read_exact_csv(path: Path, *, header: Sequence[str], columns: Sequence[str]) -> SourceTable:
    """Read some columns of a CSV file whose whole header is known.

    Raises:
        InvalidDataError: as `read_table`, and where the header is not exactly `header`.
    """
    check_header(path, header)
    return _read_rows(path, list(header), columns)


def check_header(path: Path, header: Sequence[str]) -> None:
    """InvalidDataError unless the first line of a CSV file is exactly `header`."""
    found = read_header(path)
    if found != list(header):
        raise InvalidDataError(
            f"{path.name}:1",
            f"the header is {','.join(found)!r}, expected {','.join(header)!r}",
            "Give the file as published, header line first",
        )


def read_header(path: Path) -> list[str]:
    """The column names of a CSV file.

    Raises:
        InvalidDataError: the file is missing, empty, not UTF-8 or names a column twice.
    """
    try:
        first = next(_records(path, forgiving=True), None)
    except csv.Error as error:
        raise InvalidDataError(f"{path.name}:1", str(error), "Mend the header line") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidDataError(str(path), reason, "Give a readable file") from error
    if first is None:
        raise InvalidDataError(path.name, "the file is empty", "Give a header line and rows")
    names = first[1]
    if any("\ufffd" in name for name in names):
        raise _diagnose(path, "the header is not UTF-8")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidDataError(f"{path.name}:1", f"column {twice[0]!r} stands twice", "Rename one")
    return names


def _records(path: Path, *, forgiving: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Line number of the first line and the fields of every record; blank lines are skipped.

    A forgiving pass, over a header or over what Arrow has read already, minds neither encoding
    nor quotes.
    """
    errors = "replace" if forgiving else "strict"
    with path.open(encoding="utf-8-sig", errors=errors, newline="") as file:
        reader = csv.reader(file, strict=not forgiving)
        start = 1
        for record in reader:
            if record:
                yield start, record
            start = reader.line_num + 1


def _present(
    where: str, found: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> list[str]:
    for column in required:
        if column not in found:
            raise InvalidDataError(
                where, f"column {column!r} is missing, found {', '.join(found)}", "Add the column"
            )
    return [column for column in dict.fromkeys([*required, *optional]) if column in found]


def _read_rows(path: Path, header: Sequence[str], columns: Sequence[str]) -> SourceTable:
    try:
        rows = pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _diagnose(path, str(error)) from error
    ignored = tuple(column for column in header if column not in columns)
    return SourceTable(path, rows, ignored)


def _diagnose(path: Path, reason: str) -> InvalidDataError:
    """A slow second look at a file that could not be parsed, to name the line and the fault."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return InvalidDataError(
                    f"{path.name}:{number}",
                    f"byte {error.start + 1} of the line is not UTF-8",
                    "Save the file as UTF-8",
                )
    last, width = 1, 0
    try:
        for line_number, record in _records(path):
            width = width or len(record)
            if len(record) != width:
                return InvalidDataError(
                    f"{path.name}:{line_number}",
                    f"the row has {len(record)} columns, the header has {width}",
                    "Mend the row, or fetch the file again if it was cut",
                )
            last = line_number
    except csv.Error as error:
        return InvalidDataError(
            f"{path.name}:{last + 1}",
            f"the row that follows line {last} cannot be read ({error})",
            "Close the quotes, or fetch the file again if it was cut",
        )
    return InvalidDataError(path.name, reason, "Mend the file")


def _read_parquet(path: Path, required: Sequence[str], optional: Sequence[str]) -> SourceTable:
    try:
        found = pa_parquet.read_schema(path).names
        present = _present(path.name, found, required, optional)
        rows = pa_parquet.read_table(path, columns=present)
        rows.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(
            path.name, f"not a readable Parquet file ({error})", "Write the file again"
        ) from error
    ignored = tuple(column for column in found if column not in present)
    return SourceTable(path, rows, ignored)
