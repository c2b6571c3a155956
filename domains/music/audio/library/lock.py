"""One writer at a time: a lock file that names the process which holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import InvalidDataError

LOCK_FILE = "writer.lock"


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; a process that ends in whatever way lets go of it.

    The system keeps the lock, not the file's being there: what a killed writer left behind locks
    nobody out.

    Raises:
        InvalidDataError: another process writes to the directory.
    """
    descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise InvalidDataError(
                str(directory),
                f"process {holder} is writing to it",
                "Wait until it has ended, or end it: what it has heard so far is kept.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
