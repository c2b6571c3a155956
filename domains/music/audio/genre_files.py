"""Reads tables of clips that others described: a features CSV and a taggrams npz in one folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidDataError
from domains.music.audio.columns import Columns
from domains.music.audio.genre_labels import GenreLabels

_TEXT_COLUMNS = ("filename", "label", "split", "artist")
_NOT_HEARD = ("length",)
"""Numbers of the file, not of the sound."""
_NUMBERED = re.compile(r"^(.*?)(\d+)(\.\w+)?$")
_LONGEST_RUN = 14
"""Clips in a row that count as one artist's; GTZAN has some 10 an artist."""
_GAP = 2
_TAGGRAM_KEYS = ("X", "IDS")


@dataclass(frozen=True, eq=False)
class ClipTable:
    """Clips with a genre each, and the numbers that describe them."""

    names: tuple[str, ...]
    """`(n,)`, file names without folders."""
    labels: GenreLabels
    splits: tuple[str, ...]
    """`(n,)`, "train", "valid" or "test", or empty where the CSV has no such column."""
    columns: Columns
    features: NDArray[np.float64]
    """`(n, n_features)`, from the CSV."""
    tags: NDArray[np.float64]
    """`(n, n_tags)`, means of the taggram's windows; NaN for clips that have none."""
    artists_named: bool
    """False if groups are guessed from the numbers in the file names."""

    def without(self, names: Iterable[str]) -> ClipTable:
        """The other clips."""
        left_out = frozenset(names)
        rows = np.array([r for r, name in enumerate(self.names) if name not in left_out], int)
        return replace(
            self,
            names=tuple(self.names[row] for row in rows),
            labels=self.labels.rows(rows),
            splits=tuple(self.splits[row] for row in rows),
            features=self.features[rows],
            tags=self.tags[rows],
        )

    @property
    def tagged(self) -> NDArray[np.int_]:
        """Rows that have a taggram."""
        has_one = np.isfinite(self.tags).all(axis=1) & (self.tags.shape[1] > 0)
        return np.flatnonzero(has_one)


def read_clip_table(folder: Path) -> ClipTable:
    """Read a folder with one CSV of features and, optionally, one npz of taggrams.

    Args:
        folder: the CSV has columns `filename` and `label`, optionally `split` and `artist`, and
            numbers; the npz has `X` `(frames, tags)` and `IDS` `(frames,)`, the file of each frame.

    Raises:
        InvalidDataError: if a file is missing, twice there, or does not say what it should.
    """
    path = _only(folder, "*.csv")
    if path is None:
        raise InvalidDataError(str(folder), "holds no CSV of features", "Name the right folder.")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(_TEXT_COLUMNS, str), keep_default_na=False)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InvalidDataError(path.name, f"cannot be read ({error})", "Check the file.") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first column for names of rows
        raise InvalidDataError(
            path.name, "lines have more fields than the header", "Name every column."
        )
    for column in ("filename", "label"):
        if column not in table:
            raise InvalidDataError(path.name, f"column {column} is missing", "Add the column.")
    texts = [column for column in _TEXT_COLUMNS if column in table]
    table[texts] = table[texts].fillna("")  # of lines that end early
    for column in ("filename", "label"):
        if (table[column] == "").any():
            line = int((table[column] == "").argmax()) + 2
            raise InvalidDataError(f"{path.name}:{line}", f"{column} is empty", "Fill it.")
    names = tuple(_base(name) for name in table["filename"])
    _check_distinct(path, names)
    features = table.drop(columns=[*_TEXT_COLUMNS, *_NOT_HEARD], errors="ignore")
    if features.empty and len(table):
        raise InvalidDataError(path.name, "describes no clip by numbers", "Add their columns.")
    for column in map(str, features):
        numbers = pd.to_numeric(features[column], errors="coerce").to_numpy(dtype=np.float64)
        if not np.isfinite(numbers).all():
            line = int(np.flatnonzero(~np.isfinite(numbers))[0]) + 2
            raise InvalidDataError(
                f"{path.name}:{line}", f"column {column} is no finite number", "Mend or drop it."
            )
        features[column] = numbers
    genres = list(table["label"])
    named = "artist" in table and (table["artist"] != "").all()
    groups = list(table["artist"]) if named else numbering_groups(names, genres)
    tags = _tags(folder, names)
    return ClipTable(
        names,
        GenreLabels.of([{genre} for genre in genres], groups),
        tuple(table["split"]) if "split" in table else ("",) * len(names),
        Columns.of(map(str, features.columns), map(str, range(tags.shape[1]))),
        features.to_numpy(dtype=np.float64),
        tags,
        bool(named),
    )


def numbering_groups(names: Sequence[str], genres: Sequence[str]) -> list[str]:
    """Guess which clips are one artist's from the numbers in their names.

    Collections are usually numbered artist by artist: a run of neighbouring numbers of one genre is
    taken for one artist, long runs are cut.

    Args:
        names: `(n,)`, such as "blues.00029.au".
        genres: `(n,)`.

    Returns:
        `(n,)`, a name of the group of each; clips without a number are groups of their own.
    """
    numbered: dict[str, list[tuple[int, int]]] = {}
    groups = [f"clip {name}" for name in names]
    for row, (name, genre) in enumerate(zip(names, genres, strict=True)):
        if match := _NUMBERED.match(name):
            numbered.setdefault(f"{genre} {match[1]}", []).append((int(match[2]), row))
    for stem, clips in numbered.items():
        clips.sort()
        runs: list[list[int]] = [[clips[0][1]]]
        for (number, _), (following, row) in pairwise(clips):
            if following - number > _GAP:
                runs.append([])
            runs[-1].append(row)
        for run in runs:
            for part in np.array_split(run, -(-len(run) // _LONGEST_RUN)):
                for row in part:
                    groups[row] = f"{stem}{names[part[0]]}"
    return groups


def _tags(folder: Path, names: tuple[str, ...]) -> NDArray[np.float64]:
    path = _only(folder, "*.npz")
    if path is None:
        return np.empty((len(names), 0))
    try:
        # Opened here: numpy leaves open what it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            frames, owners = (stored[key] for key in _TAGGRAM_KEYS)
        frames = frames.astype(np.float64)
    except Exception as error:  # what numpy raises on a damaged file is not listed anywhere
        raise InvalidDataError(
            path.name, f"cannot be read ({error})", "It must hold arrays X (frames, tags) and IDS."
        ) from error
    if frames.ndim != 2 or owners.shape != frames.shape[:1] or not np.isfinite(frames).all():
        raise InvalidDataError(
            path.name, "X must be finite and have a row for each of IDS", "Write it again."
        )
    owners = [_base(str(owner)) for owner in owners]
    if not set(owners) & set(names):
        raise InvalidDataError(
            path.name, "IDS names none of the clips of the CSV", "Name files as the CSV does."
        )
    means = pd.DataFrame(frames).groupby(owners).mean()
    return means.reindex(list(names)).to_numpy(dtype=np.float64)


def _only(folder: Path, pattern: str) -> Path | None:
    found = sorted(folder.glob(pattern))
    if len(found) > 1:
        raise InvalidDataError(
            str(folder),
            f"holds {len(found)} files {pattern}, one is wanted",
            "Name the folder of one table of clips.",
        )
    return found[0] if found else None


def _base(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _check_distinct(path: Path, names: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for line, name in enumerate(names, start=2):
        if name in first:
            raise InvalidDataError(
                f"{path.name}:{line}", f"{name} stands in line {first[name]} too", "Keep one."
            )
        first[name] = line
