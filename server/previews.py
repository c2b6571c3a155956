"""Which part of an object to play: chosen from its sound, or a guess that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from server.ports import ObjectAudio

DEFAULT_START_MS = 30_000
DEFAULT_LENGTH_MS = 15_000


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
    start_ms, length_ms = DEFAULT_START_MS, DEFAULT_LENGTH_MS
    if max_seconds is not None:
        length_ms = min(length_ms, 1_000 * max_seconds)
    if not math.isnan(length_s):
        whole_ms = int(1_000 * length_s)
        start_ms = min(start_ms, whole_ms // 3)
        length_ms = min(length_ms, whole_ms - start_ms)
    return PreviewWindow(start_ms, max(1, length_ms), is_default=True)
