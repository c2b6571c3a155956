"""Describes one audio file: all that the sound library keeps of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidDataError
from domains.music.audio.decode import SAMPLE_RATE, decode_file
from domains.music.audio.sound import Ear, Sound


@dataclass(frozen=True, eq=False)
class Description:
    """What was heard of a file."""

    sound: Sound
    seconds: float
    """Of the file's beginning that were heard."""
    preview_ms: tuple[int, int] | None = None
    """Start and length of the part to show, where one was chosen."""


def describe_file(path: Path) -> Description | str:
    """Describe a file, or say why that cannot be done; never raises, whatever the file holds."""
    try:
        samples = decode_file(path)
        return Description(_ear().hear(samples), len(samples) / SAMPLE_RATE)
    except InvalidDataError as error:
        return f"{error.problem}. {error.remedy}"
    except Exception as error:  # one strange file must not end a day's work
        what = f"{type(error).__name__}: {error}"
        return f"it cannot be described ({what}). Convert it to another format."


@functools.cache
def _ear() -> Ear:
    return Ear()
