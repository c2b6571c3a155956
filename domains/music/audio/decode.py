"""Decoding in this process: for files that are trusted, and for tests.

`AudioIntake` decodes what strangers send, in processes that can be killed. What is decoded, how,
and what is refused is the same: `decoder` says it once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FieldViolation, InvalidDataError, InvalidRequestError
from domains.music.audio.decoder import (
    DEFAULT_LIMITS,
    SAMPLE_RATE,
    DecodeLimits,
    RefusedError,
    decode_path,
    decode_upload,
)


def decode_bytes(audio: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """Decode an upload.

    Args:
        audio: one whole wav, flac, ogg (Vorbis, Opus) or mp3 file.
        limits: bounds of the work; time and memory are not bounded here.

    Returns:
        Mono samples `(n,)` at `SAMPLE_RATE`, finite, without constant offset, of the first
        `limits.max_seconds` seconds at most; scaled down where they exceeded full scale.

    Raises:
        InvalidRequestError: field `audio`, if it is empty, too large, not audio, damaged, shorter
            than a second, silent, or has non-finite samples, an unusual rate or too many channels.
    """
    try:
        return decode_upload(audio, limits)
    except RefusedError as refusal:
        raise upload_refused(str(refusal)) from refusal


def decode_file(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """Decode a file of the operator's own, such as one of a catalogue being indexed.

    Args:
        path: a wav, flac, ogg or mp3 file of any size.
        limits: bounds of the work; `max_bytes` does not apply, time and memory are not bounded.

    Returns:
        As `decode_bytes`.

    Raises:
        InvalidDataError: if the file cannot be read or is not usable audio.
    """
    try:
        return decode_path(str(path), limits)
    except OSError as error:
        raise file_unreadable(path, error.strerror or str(error)) from error
    except RefusedError as refusal:
        raise file_refused(path, str(refusal)) from refusal


def upload_refused(why: str) -> InvalidRequestError:
    """Return the error for an upload that is not usable audio."""
    return InvalidRequestError([FieldViolation("audio", why)])


def file_refused(path: Path, why: str) -> InvalidDataError:
    """Return the error for a file that is not usable audio."""
    return InvalidDataError(str(path), why, "Replace the file or leave the track out.")


def file_unreadable(path: Path, why: str) -> InvalidDataError:
    """Return the error for a file that the system does not hand out."""
    return InvalidDataError(
        str(path), f"cannot be read ({why})", "Check the path and its permissions."
    )


__all__ = [
    "DEFAULT_LIMITS",
    "SAMPLE_RATE",
    "DecodeLimits",
    "decode_bytes",
    "decode_file",
    "file_refused",
    "file_unreadable",
    "upload_refused",
]
