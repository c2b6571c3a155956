"""Brings a sound library up to date with a directory of audio: hears what is new or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from domains.music.audio.library.compact import compact
from domains.music.audio.library.describe import Description, describe_file
from domains.music.audio.library.files import AudioFile, scan
from domains.music.audio.library.lock import writing
from domains.music.audio.library.parts import (
    DescribedTrack,
    part_paths,
    read_part,
    remove_leftovers,
    table_of,
    write_part,
)
from domains.music.audio.library.workers import Describe, Pool, default_workers, described, spawned

PART_TRACKS = 100
"""Tracks of a new part, and so the most that a killed update loses of what it heard."""


@dataclass(frozen=True)
class Update:
    """What an update did."""

    heard: int
    """Files described now."""
    unchanged: int
    """Files that were described before."""
    removed: int
    """Files that the library held and that are gone."""
    unlisted: int
    """Audio files left out because the list of ids does not name them."""
    failed: tuple[tuple[str, str], ...]
    """File and reason of all that cannot be described, now or before, in order of file."""


@dataclass(frozen=True)
class _Known:
    """What the library says of a file."""

    size_bytes: int
    modified_ns: int
    error: str
    """Empty if it could be described."""


def update(
    audio: Path,
    library: Path,
    *,
    ids: Mapping[str, str] | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    progress: Callable[[float], None] | None = None,
    part_tracks: int = PART_TRACKS,
    describe: Describe = describe_file,
    pool: Pool = spawned,
) -> Update:
    """Describe every audio file that the library does not know as it is now.

    What is written counts, whatever happens next: a killed update goes on where it was at the next
    call, but for the tracks of the part it was about to write.

    Args:
        audio: directory of the catalogue.
        library: directory of the sound library; made when absent.
        ids: file -> track id, see `scan`; files that it does not name are left out.
        workers: processes that describe; by default one for each core.
        retry_failed: describe also unchanged files that could not be described before.
        progress: called with the share of the work done, in [0, 1].
        part_tracks: tracks of a new part.
        describe: what describes a file.
        pool: what makes the workers.

    Returns:
        What was done.

    Raises:
        InvalidDataError: see `scan`, or another process writes to the library.
        BundleError: a part is damaged or was made by other code.
    """
    found = scan(audio, ids)
    library.mkdir(parents=True, exist_ok=True)
    report = progress or _silent
    with writing(library):
        remove_leftovers(library)
        known = _known(library)
        todo = [file for file in found.files if _is_due(file, known.get(file.file), retry_failed)]
        report(0.0)
        number = min(workers or default_workers(), len(todo))
        newly_failed = _hear(
            described(audio, todo, describe, number, pool), len(todo), library, part_tracks, report
        )
        compact(library, {file.file: file.track_id for file in found.files})
    report(1.0)
    again = {file.file for file in todo}
    failed = newly_failed | {
        file.file: known[file.file].error
        for file in found.files
        if file.file not in again and known[file.file].error
    }
    return Update(
        heard=len(todo) - len(newly_failed),
        unchanged=len(found.files) - len(todo),
        removed=len(known.keys() - {file.file for file in found.files}),
        unlisted=found.unlisted,
        failed=tuple(sorted([*failed.items(), *found.missing])),
    )


def _known(library: Path) -> dict[str, _Known]:
    columns = ["file", "size_bytes", "modified_ns", "error"]
    known = {}
    for path in part_paths(library):  # of a file described twice, the later row counts
        rows = read_part(path, columns).to_pydict()
        for file, size_bytes, modified_ns, error in zip(*rows.values(), strict=True):
            known[file] = _Known(size_bytes, modified_ns, error or "")
    return known


def _is_due(file: AudioFile, known: _Known | None, retry_failed: bool) -> bool:
    return (
        known is None
        or (known.size_bytes, known.modified_ns) != (file.size_bytes, file.modified_ns)
        or (retry_failed and known.error != "")
    )


def _hear(
    answers: Iterable[tuple[AudioFile, Description | str]],
    n_files: int,
    library: Path,
    part_tracks: int,
    progress: Callable[[float], None],
) -> dict[str, str]:
    """Write what is described, part by part; returns file -> reason of those that failed."""
    failed: dict[str, str] = {}
    ready: list[DescribedTrack] = []
    try:
        for number, (file, answer) in enumerate(answers, start=1):
            ready.append(DescribedTrack(file, answer))
            if isinstance(answer, str):
                failed[file.file] = answer
            if len(ready) == part_tracks:
                write_part(library, table_of(ready))
                ready.clear()
            progress(number / n_files)
    finally:
        if ready:
            write_part(library, table_of(ready))
    return failed


def _silent(_: float) -> None:
    pass
