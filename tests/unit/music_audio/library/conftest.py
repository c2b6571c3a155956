"""Catalogues of made-up files, and a listener that hears the length of a file in no time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domains.music.audio.library import Description, Update, update
from domains.music.audio.preview import Preview
from domains.music.audio.sound import Sound


@contextmanager
def threads(workers: int) -> Iterator[Executor]:
    with ThreadPoolExecutor(max(workers, 1)) as executor:
        yield executor


class Listener:
    """Describes a file by its size and remembers what it heard; `bad` files cannot be heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, path: Path) -> Description | str:
        self.heard.append(path.name)
        if path.read_bytes().startswith(b"bad"):
            return "it is no music. Replace the file."
        size = float(path.stat().st_size)
        sound = Sound(
            np.full(89, size),
            np.full(50, 0.5, np.float32),
            np.full(200, size, np.float32),
            Preview(1_000, 15_000),
        )
        return Description(sound, size)


class Catalogue:
    """A directory of audio files and its sound library."""

    def __init__(self, root: Path) -> None:
        self.audio, self.library = root / "audio", root / "library"
        self.audio.mkdir()
        self.listener = Listener()

    def update(self, **options: Any) -> Update:  # noqa: ANN401 - those of `update`
        quick: dict[str, Any] = {"describe": self.listener, "pool": threads, "part_tracks": 4}
        return update(self.audio, self.library, **(quick | options))

    def put(self, *files: str, content: bytes = b"sound") -> None:
        for file in files:
            path = self.audio / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def heard_now(self) -> list[str]:
        heard, self.listener.heard = sorted(self.listener.heard), []
        return heard

    def touch(self, file: str) -> None:
        os.utime(self.audio / file, ns=(0, 1))

    def parts(self) -> list[str]:
        return sorted(path.name for path in self.library.glob("*.parquet"))


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path)
