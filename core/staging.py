"""A directory of files that appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import InvalidDataError


@contextmanager
def staged_directory(out: Path, last: str) -> Iterator[Path]:
    """Gives a directory to write into; its files move to `out` when the block ends well.

    Files move one by one, each complete, and `last` moves last: where it is, all is. If the
    block fails, or a move does, nothing stays behind, and `out` is gone if it was not there.

    Raises:
        InvalidDataError: `out` is a file, or a directory that is not empty.
    """
    if out.exists() and not out.is_dir():
        raise InvalidDataError(str(out), "it is a file", "Name a directory that is new or empty")
    if out.exists() and any(out.iterdir()):
        raise InvalidDataError(
            str(out), "the directory is not empty", "Name a directory that is new or empty"
        )
    created = [path for path in (out, *out.parents) if not path.exists()]
    out.mkdir(parents=True, exist_ok=True)
    moved: list[Path] = []
    try:
        stage = Path(tempfile.mkdtemp(prefix=".simulate-", dir=out))
        try:
            yield stage
            for source in sorted(stage.iterdir(), key=lambda path: (path.name == last, path.name)):
                target = out / source.name
                moved.append(target)
                source.rename(target)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except BaseException:
        for target in moved:
            target.unlink(missing_ok=True)
        for path in created:
            with suppress(OSError):  # someone else may have put something there meanwhile
                path.rmdir()
        raise
