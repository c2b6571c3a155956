"""Describes one audio file: all that the sound library keeps of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import InvalidDataError
from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.intake import AudioIntake
from domains.music.audio.sound import Ear, Sound


@dataclass(frozen=True, eq=False)
class Description:
    """What was heard of a file."""

    sound: Sound
    seconds: float
    """Of the file's beginning that were heard."""


def describe_file(path: Path) -> Description | str:
    """Describe a file, or say why that cannot be done; never raises, whatever the file holds."""
    try:
        samples = _intake().decode_file(path)
        sound = _ear().hear(samples)
    except InvalidDataError as error:
        return f"{error.problem}. {error.remedy}"
    except Exception as error:  # one strange file must not end a day's work
        what = f"{type(error).__name__}: {error}"
        return f"it cannot be described ({what}). Convert it to another format."
    numbers = np.concatenate([sound.features, sound.tags, sound.units])
    if not np.isfinite(numbers).all():  # one such track would spoil what is learnt from all
        return "its description holds numbers that are not finite. Convert it to another format."
    return Description(sound, len(samples) / SAMPLE_RATE)


@functools.cache
def _ear() -> Ear:
    return Ear()


@functools.cache
def _intake() -> AudioIntake:
    return AudioIntake(n_processes=1)
