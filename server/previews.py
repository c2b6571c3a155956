"""Which part of an object to play: chosen from its sound, or a guess that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from server.ports import ObjectAudio

DEFAULT_START_S = 30.0
DEFAULT_LENGTH_S = 15.0


@dataclass(frozen=True)
class PreviewWindow:
    """A part of an object's sound, in ms from its beginning."""

    start_ms: int
    length_ms: int
    """Above 0."""
    is_default: bool


def preview_window(
    heard: ObjectAudio | None, length_s: float, max_seconds: int | None
) -> PreviewWindow:
    """The window to play.

    A chosen window that is too long is shortened to its middle: what is loud and comes again lies
    around there. Where none was chosen it begins 30 s into the object, or a third if that is less.

    Args:
        heard: what was heard of the object; None for nothing.
        length_s: how long the object sounds, NaN if nobody says.
        max_seconds: longest window, at least 1; None for as long as it was chosen.
    """
    if heard is None or heard.preview_length_ms <= 0:
        return _guess(length_s, max_seconds)
    start_ms, length_ms = heard.preview_start_ms, heard.preview_length_ms
    if max_seconds is not None and length_ms > 1_000 * max_seconds:
        start_ms += (length_ms - 1_000 * max_seconds) // 2
        length_ms = 1_000 * max_seconds
    return PreviewWindow(start_ms, length_ms, is_default=False)


def _guess(length_s: float, max_seconds: int | None) -> PreviewWindow:
    wanted_s = DEFAULT_LENGTH_S if max_seconds is None else min(DEFAULT_LENGTH_S, max_seconds)
    start_s = DEFAULT_START_S
    if not math.isnan(length_s):
        start_s = min(start_s, length_s / 3)
        wanted_s = min(wanted_s, length_s - start_s)
    return PreviewWindow(int(1_000 * start_s), max(1, int(1_000 * wanted_s)), is_default=True)
