"""Turns uploaded bytes or a file into mono samples at one rate, and refuses what is not music.

The decoders see input from strangers, so everything is bounded: bytes before anything is parsed,
seconds and channels before anything is allocated. A declared length is never believed; samples are
read block by block until the limit or the end. For what no check foresees, this file is also the
script of a process that may be killed: it imports nothing of Encore and starts in a fraction of a
second. `AudioIntake` is its other end.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import signal
import stat
import struct
import sys
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

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
_HEAD_BYTES = 512

_FOREIGN = (
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a rar archive"),
    (4, b"ftyp", "an mp4 (m4a, mov) file"),
    (0, b"FORM", "AIFF"),
    (0, b"RF64", "RF64"),
    (0, b"RIFX", "big-endian wav"),
    (8, b"AVI ", "an avi video"),
    (8, b"WEBP", "a picture"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (0, b"\x30\x26\xb2\x75", "a wma or wmv file"),
    (0, b"caff", "CAF"),
    (0, b".snd", "AU"),
    (0, b"MThd", "a MIDI file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"GIF8", "a picture"),
)
"""Offset, bytes and name of what is often sent by mistake."""
_FOREIGN_TEXT = ((b"<!doctype", "a web page"), (b"<html", "a web page"), (b"<?xml", "XML"))
_FOREIGN_IN_OGG = (
    (b"\x7fFLAC", "FLAC in ogg"),
    (b"fLaC", "FLAC in ogg"),
    (b"Speex", "Speex in ogg"),
    (b"PCM ", "PCM in ogg"),
    (b"\x80theora", "an ogg video"),
    (b"fishead", "an ogg video"),
    (b"BBCD", "an ogg video"),
)

PING, UPLOAD, FILE = range(3)
"""What a request asks: nothing; to decode its payload; to decode the file its payload names."""
PONG, SAMPLES, REFUSED, UNREADABLE = range(4)
"""What an answer holds: nothing; samples as float32; why not; what the system said of the file."""
FRAME = struct.Struct("=BQ")
"""What precedes each payload, there and back: kind and length in bytes."""


@dataclass(frozen=True)
class DecodeLimits:
    """What one piece of audio may cost."""

    max_bytes: int = 20_000_000
    """Larger uploads are refused unread. Files of the operator's own are not bound by it."""
    max_seconds: float = 60.0
    """Only the beginning up to here is decoded and described; the rest is ignored."""
    max_decoded_samples: int = 100_000_000
    """Samples of all channels together, at the file's own rate; what lies beyond is ignored too."""
    wall_seconds: float = 10.0
    """A decoder process that takes longer is killed."""
    max_memory_bytes: int = 1 << 30
    """Address space of a decoder process, where the platform can bound it."""


DEFAULT_LIMITS = DecodeLimits()


class RefusedError(ValueError):
    """The audio is not usable; the message says why and what to send instead."""


def check_size(n_bytes: int, limits: DecodeLimits) -> None:
    """Refuse an upload by its size alone; RefusedError if it is empty or too large."""
    if not n_bytes:
        raise RefusedError("it is empty: send the bytes of a wav, flac, ogg or mp3 file")
    if n_bytes > limits.max_bytes:
        raise RefusedError(
            f"it has {n_bytes} bytes, at most {limits.max_bytes} are accepted: "
            "send an excerpt or a compressed format"
        )


def decode_upload(audio: bytes, limits: DecodeLimits) -> NDArray[np.float32]:
    """Decode one whole wav, flac, ogg (Vorbis, Opus) or mp3 file.

    Returns:
        Mono samples `(n,)` at `SAMPLE_RATE`, finite, without constant offset, of the first
        `limits.max_seconds` seconds at most; scaled down where they exceeded full scale.

    Raises:
        RefusedError: if it is empty, too large, not audio, damaged, shorter than `MIN_SECONDS`,
            silent, or has non-finite samples, an unusual rate or too many channels.
    """
    check_size(len(audio), limits)
    return _decode(_SafeBytes(audio), limits)


def decode_path(path: str, limits: DecodeLimits) -> NDArray[np.float32]:
    """Decode a file of any size, as `decode_upload`; OSError if it cannot be read."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe or a device may have no end
        raise OSError(errno.EINVAL, "it is not a regular file")
    with _SafeFile(io.FileIO(path)) as stream:
        return _decode(stream, limits)


class _SafeBytes(io.BytesIO):
    """A file in memory whose seek clamps: damaged headers send libsndfile to negative offsets."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.getbuffer().nbytes}
        return super().seek(max(0, base[whence] + offset))


class _SafeFile(io.BufferedReader):
    """A file on disk whose seek clamps likewise."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_CUR:
            offset += self.tell()
        elif whence == io.SEEK_END:
            offset += super().seek(0, io.SEEK_END)
        return super().seek(max(0, offset))


def _decode(stream: BinaryIO, limits: DecodeLimits) -> NDArray[np.float32]:
    _check_kind(stream)
    try:
        with soundfile.SoundFile(stream) as sound:
            _check_header(sound)
            samples, rate = _read_mono(sound, limits), sound.samplerate
    except soundfile.SoundFileError as error:
        raise RefusedError(
            "it is damaged or cut off and cannot be decoded: send the whole file"
        ) from error
    if len(samples) < MIN_SECONDS * rate:
        raise RefusedError(
            f"it holds {len(samples) / rate:.3f} s of sound, at least {MIN_SECONDS:g} s are "
            "needed: send a longer excerpt"
        )
    if not np.isfinite(samples).all():
        raise RefusedError("it holds samples that are not finite numbers: export it again")
    samples /= max(1.0, np.abs(samples).max())
    mono = _resample(samples.astype(np.float32), rate)
    mono -= mono.mean()
    # Only now: a constant offset, and what the lower rate cannot hold, are not heard either.
    if np.abs(mono).max() < SILENCE_PEAK:
        raise RefusedError("it is silent, and silence has no genre: send a part that can be heard")
    return mono


def _check_kind(stream: BinaryIO) -> None:
    """Tell by the first bytes, so that libsndfile's two dozen other parsers are never entered."""
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    foreign = _foreign_kind(head)
    known = (
        (head[:4] == b"RIFF" and head[8:12] == b"WAVE")
        or head[:4] in {b"fLaC", b"OggS"}
        or head[:3] == b"ID3"
        # An MPEG frame begins with eleven set bits.
        or (len(head) >= 12 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)
    )
    if foreign or not known:
        instead = f" but {foreign}" if foreign else ""
        raise RefusedError(
            f"it is not wav, flac, ogg or mp3{instead}: send the bytes of such a file"
        )


def _foreign_kind(head: bytes) -> str | None:
    """Name what else it is, if that can be told."""
    for offset, magic, name in _FOREIGN:
        if head[offset:].startswith(magic):
            return name
    if head[:4] == b"OggS" and len(head) > 26:
        packet = head[27 + head[26] :]
        return next((name for magic, name in _FOREIGN_IN_OGG if packet.startswith(magic)), None)
    # Eleven set bits, but no MPEG layer: the frame header of AAC.
    if len(head) >= 12 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((name for start, name in _FOREIGN_TEXT if text.startswith(start)), None)


def _check_header(sound: soundfile.SoundFile) -> None:
    if sound.format not in CONTAINERS:
        raise RefusedError(f"it is {sound.format}: send wav, flac, ogg or mp3")
    lowest, highest = _SAMPLE_RATES
    if not lowest <= sound.samplerate <= highest:
        raise RefusedError(
            f"its sample rate is {sound.samplerate} Hz, {lowest} to {highest} Hz are accepted: "
            "resample it"
        )
    if not 1 <= sound.channels <= _MAX_CHANNELS:
        raise RefusedError(
            f"it has {sound.channels} channels, at most {_MAX_CHANNELS} are accepted: mix it down"
        )


def _read_mono(sound: soundfile.SoundFile, limits: DecodeLimits) -> NDArray[np.float64]:
    """Read up to the limits; only the mean of the channels is kept of each block."""
    left = min(
        int(limits.max_seconds * sound.samplerate), limits.max_decoded_samples // sound.channels
    )
    blocks = [np.empty(0)]
    while left > 0:
        block = sound.read(min(left, _BLOCK_FRAMES), dtype="float32", always_2d=True)
        if not len(block):
            break
        with np.errstate(invalid="ignore"):  # infinities of opposite sign; refused afterwards
            blocks.append(_mixed(block))
        left -= len(block)
    return np.concatenate(blocks)


def _mixed(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean `(n,)` of `(n, channels)`, by columns: along short rows numpy is slow."""
    mixed: NDArray[np.float64] = block[:, 0].astype(np.float64)
    for channel in range(1, block.shape[1]):
        mixed += block[:, channel]
    mixed /= block.shape[1]
    return mixed


def _resample(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Bring `(n,)` from `rate` to `SAMPLE_RATE`, what `librosa.resample` does with `soxr_hq`."""
    if rate == SAMPLE_RATE:
        return samples
    n_samples = math.ceil(len(samples) * (SAMPLE_RATE / rate))
    resampled = soxr.resample(samples, rate, SAMPLE_RATE, quality="soxr_hq")[:n_samples]
    return np.pad(resampled, (0, n_samples - len(resampled)))


def main() -> None:
    """Answer one request after the other until the standard input ends.

    The first argument holds the limits as JSON. Anything unforeseen ends the process, which says
    all that the other end need know.
    """
    limits = DecodeLimits(**json.loads(sys.argv[1]))
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", 0)
    # What the codecs' libraries print must neither be taken for an answer nor fill a pipe.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    # A server that is told to stop still answers what it has begun; then the input ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _bound_memory(limits.max_memory_bytes)
    while len(frame := requests.read(FRAME.size)) == FRAME.size:
        # The parent kills first. Should it have died meanwhile, nobody else ends an endless loop.
        _set_alarm(limits.wall_seconds + 1.0)
        kind, n_bytes = FRAME.unpack(frame)
        payload = requests.read(n_bytes)
        if len(payload) < n_bytes:
            return
        status, answer = _answer(kind, payload, limits)
        answers.write(FRAME.pack(status, answer.nbytes))
        while answer.nbytes:
            answer = answer[answers.write(answer) :]
        _set_alarm(0.0)


def _answer(kind: int, payload: bytes, limits: DecodeLimits) -> tuple[int, memoryview]:
    try:
        if kind == PING:
            return PONG, memoryview(b"")
        if kind == UPLOAD:
            samples = decode_upload(payload, limits)
        else:
            samples = decode_path(os.fsdecode(payload), limits)
    except RefusedError as refusal:
        return REFUSED, memoryview(str(refusal).encode())
    except OSError as error:
        return UNREADABLE, memoryview((error.strerror or str(error)).encode())
    return SAMPLES, np.ascontiguousarray(samples).data.cast("B")


def _bound_memory(n_bytes: int) -> None:
    try:
        import resource  # noqa: PLC0415 - not every platform has it
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    except (OSError, ValueError):
        return  # some systems have the name but not the limit


def _set_alarm(seconds: float) -> None:
    """Have the system end this process in so many seconds; 0 calls it off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()
