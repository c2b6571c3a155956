"""The contract of readers: the files it recognises, and how a directory finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from core.errors import InvalidDataError
from core.log import EventLog


class Read(Protocol):
    """Turns the files of a directory into the canonical log, or refuses them whole."""

    def __call__(self, directory: Path, /) -> EventLog:
        """The log; InvalidDataError names the file, the line and the column at fault."""
        ...


@dataclass(frozen=True)
class Reader:
    """One file format of a domain."""

    expects: str
    """The files it wants, for people: `train.csv and members.csv`."""
    matches: Callable[[Path], bool]
    """Whether a directory holds such files, by their names alone."""
    read: Read


Readers = Mapping[str, Reader]
"""Format name -> reader: the literal dict of a domain."""


def read_log(readers: Readers, directory: Path, reader: str | None = None) -> EventLog:
    """Read a directory with the named reader, or with the one that recognises its files.

    Raises:
        InvalidDataError: no such directory, no such reader, no or several readers that match, or
            whatever the reader finds wrong.
    """
    if not directory.is_dir():
        raise InvalidDataError(str(directory), "there is no such directory", "Give a directory")
    name = detect(readers, directory) if reader is None else reader
    if name not in readers:
        raise InvalidDataError(
            str(directory), f"unknown format {name!r}", f"Choose one of {', '.join(readers)}"
        )
    log = readers[name].read(directory)
    # Arrow keeps what it freed for a next table, 140 MB a million events: there is none.
    pa.default_memory_pool().release_unused()
    return log


def detect(readers: Readers, directory: Path) -> str:
    """The name of the only reader that recognises the files.

    Raises:
        InvalidDataError: none does (naming what was found and expected), or several do.
    """
    matching = [name for name, reader in readers.items() if reader.matches(directory)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InvalidDataError(
            str(directory),
            f"the files fit several formats: {', '.join(matching)}",
            "Name the format, or keep the files of one",
        )
    found = sorted(path.name for path in directory.iterdir())
    named = ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
    expected = "; ".join(f"{name}: {reader.expects}" for name, reader in readers.items())
    raise InvalidDataError(
        str(directory), f"no known log, found {named or 'nothing'}", f"Expected {expected}"
    )
