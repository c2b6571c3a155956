"""Turns uploaded bytes or a file into mono samples at one rate, and refuses what is not music.

The decoders see input from strangers, so everything is bounded: bytes before anything is parsed,
seconds and channels before anything is allocated. A declared length is never believed; samples are
read block by block until the limit or the end.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray

from core.errors import FieldViolation, InvalidDataError, InvalidRequestError

SAMPLE_RATE = 22_050
"""Hz; every decoded signal has it."""
MIN_SECONDS = 1.0
"""Shorter sounds have neither tempo nor enough frames for a variance."""
SILENCE_PEAK = 1e-4
"""Full scale is 1: a signal that never leaves -80 dB is silence."""
CONTAINERS = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}
"""libsndfile's names of the containers that are accepted, with ours."""

_SAMPLE_RATES = (8_000, 192_000)
_MAX_CHANNELS = 8
_BLOCK_FRAMES = 1 << 17
_FIELD = "audio"


@dataclass(frozen=True)
class DecodeLimits:
    """What one piece of audio may cost."""

    max_bytes: int = 20_000_000
    """Larger uploads are refused unread. Files of the operator's own are not bound by it."""
    max_seconds: float = 60.0
    """Only the beginning up to here is decoded and described; the rest is ignored."""


DEFAULT_LIMITS = DecodeLimits()


def decode_bytes(audio: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """Decode an upload.

    Args:
        audio: one whole wav, flac, ogg (Vorbis, Opus) or mp3 file.
        limits: bounds of the work.

    Returns:
        Mono samples `(n,)` at `SAMPLE_RATE`, finite, without constant offset, of the first
        `limits.max_seconds` seconds at most; scaled down where they exceeded full scale.

    Raises:
        InvalidRequestError: field `audio`, if it is empty, too large, not audio, damaged, shorter
            than `MIN_SECONDS`, silent, or has non-finite samples, an unusual rate or too many
            channels.
    """
    if not audio:
        raise _refused("it is empty: send the bytes of a wav, flac, ogg or mp3 file")
    if len(audio) > limits.max_bytes:
        raise _refused(
            f"it has {len(audio)} bytes, at most {limits.max_bytes} are accepted: "
            "send an excerpt or a compressed format"
        )
    return _decode(_SafeBytes(audio), limits)


def decode_file(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """Decode a file of the operator's own, such as one of a catalogue being indexed.

    Args:
        path: a wav, flac, ogg or mp3 file of any size.
        limits: bounds of the work; `max_bytes` does not apply.

    Returns:
        As `decode_bytes`.

    Raises:
        InvalidDataError: if the file cannot be read or is not usable audio.
    """
    try:
        with path.open("rb") as stream:
            return _decode(stream, limits)
    except OSError as error:
        raise InvalidDataError(
            str(path), f"cannot be read ({error.strerror})", "Check the path and its permissions."
        ) from error
    except InvalidRequestError as error:
        raise InvalidDataError(
            str(path), error.violations[0].description, "Replace the file or leave the track out."
        ) from error


class _SafeBytes(io.BytesIO):
    """A file in memory whose seek clamps: damaged headers send libsndfile to negative offsets."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.getbuffer().nbytes}
        return super().seek(max(0, base[whence] + offset))


def _decode(stream: BinaryIO, limits: DecodeLimits) -> NDArray[np.float32]:
    if not _looks_like_audio(stream):
        raise _refused("it is not wav, flac, ogg or mp3: send the bytes of such a file")
    try:
        with soundfile.SoundFile(stream) as sound:
            _check_header(sound)
            samples, rate = _read_mono(sound, limits.max_seconds), sound.samplerate
    except soundfile.SoundFileError as error:
        raise _refused(
            "it is damaged or cut off and cannot be decoded: send the whole file"
        ) from error
    if len(samples) < MIN_SECONDS * rate:
        raise _refused(
            f"it holds {len(samples) / rate:.3f} s of sound, at least {MIN_SECONDS:g} s are "
            "needed: send a longer excerpt"
        )
    if not np.isfinite(samples).all():
        raise _refused("it holds samples that are not finite numbers: export it again")
    samples /= max(1.0, np.abs(samples).max())
    mono: NDArray[np.float32] = librosa.resample(
        samples.astype(np.float32), orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq"
    )
    mono -= mono.mean()
    # Only now: a constant offset, and what the lower rate cannot hold, are not heard either.
    if np.abs(mono).max() < SILENCE_PEAK:
        raise _refused("it is silent, and silence has no genre: send a part that can be heard")
    return mono


def _looks_like_audio(stream: BinaryIO) -> bool:
    """Tell by the first bytes, so that libsndfile's two dozen other parsers are never entered."""
    head = stream.read(12)
    stream.seek(0)
    return (
        (head[:4] == b"RIFF" and head[8:12] == b"WAVE")
        or head[:4] in {b"fLaC", b"OggS"}
        or head[:3] == b"ID3"
        # An MPEG frame begins with eleven set bits.
        or (len(head) == 12 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)
    )


def _check_header(sound: soundfile.SoundFile) -> None:
    if sound.format not in CONTAINERS:
        raise _refused(f"it is {sound.format}: send wav, flac, ogg or mp3")
    lowest, highest = _SAMPLE_RATES
    if not lowest <= sound.samplerate <= highest:
        raise _refused(
            f"its sample rate is {sound.samplerate} Hz, {lowest} to {highest} Hz are accepted: "
            "resample it"
        )
    if not 1 <= sound.channels <= _MAX_CHANNELS:
        raise _refused(
            f"it has {sound.channels} channels, at most {_MAX_CHANNELS} are accepted: mix it down"
        )


def _read_mono(sound: soundfile.SoundFile, max_seconds: float) -> NDArray[np.float64]:
    """Read up to the limit; only the mean of the channels is kept of each block."""
    left = int(max_seconds * sound.samplerate)
    blocks = [np.empty(0)]
    while left > 0:
        block = sound.read(min(left, _BLOCK_FRAMES), dtype="float32", always_2d=True)
        if not len(block):
            break
        with np.errstate(invalid="ignore"):  # infinities of opposite sign; refused afterwards
            blocks.append(block.mean(axis=1, dtype=np.float64))
        left -= len(block)
    return np.concatenate(blocks)


def _refused(description: str) -> InvalidRequestError:
    return InvalidRequestError([FieldViolation(_FIELD, description)])
