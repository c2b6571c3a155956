"""Damaged audio files against the decoders: no crash, no hang, nothing but samples or a refusal.

python -m benchmarks.fuzz_audio [--files 20000] [--seed 1] [--first 0] [--keep DIR] [--json]

Cuts seeds of 1.5 to 2.5 s from the shipped clips, writes them in every format, damages each in one
to three ways and decodes it by `AudioIntake` as an upload. Prints how many came to which
answer, the slowest, how many decoder processes were lost, and memory. Ends with 1 if anything but
samples or an InvalidRequestError came, or took longer than the limit and a second. File number n is
the same whichever numbers run before it: `--first n --files 1` repeats it, and `--keep` writes the
files that cost a decoder or failed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from core.errors import InvalidRequestError
from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import shipped_clips
from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.genre_source import TagGenres
from domains.music.audio.heard_tracks import HeardTracks
from domains.music.audio.intake import AudioIntake, DecodeLimits
from domains.music.audio.sound import Ear

FORMATS = (
    ("WAV", "PCM_U8", 22_050, 1),
    ("WAV", "PCM_16", 44_100, 2),
    ("WAV", "PCM_24", 22_050, 2),
    ("WAV", "FLOAT", 48_000, 1),
    ("WAV", "IMA_ADPCM", 22_050, 1),
    ("WAVEX", "PCM_16", 22_050, 6),
    ("FLAC", "PCM_S8", 22_050, 1),
    ("FLAC", "PCM_16", 44_100, 2),
    ("FLAC", "PCM_24", 22_050, 8),
    ("OGG", "VORBIS", 44_100, 2),
    ("OGG", "VORBIS", 22_050, 1),
    ("OGG", "OPUS", 48_000, 2),
    ("MP3", "MPEG_LAYER_III", 44_100, 2),
    ("MP3", "MPEG_LAYER_III", 22_050, 1),
)
"""Container, coding, rate in Hz and channels of the seeds."""
LANDMARKS = (b"fmt ", b"data", b"fact", b"LIST", b"fLaC", b"OggS", b"vorbis", b"OpusHead", b"Xing")
"""What begins something of structure: what follows is worth lying about."""
MAGICS = (
    *(b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00", b"fLaC\x00\x00\x00\x22", b"ID3\x04\x00\x00"),
    *(b"OggS\x00\x02" + bytes(8), b"\xff\xfb\x90\x64", b"\xff\xfb\xe0\x00"),
)
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
PLACES_KEPT = 20


@dataclass
class Report:
    """What came of all files."""

    answers: Counter[str] = field(default_factory=Counter)
    """Files by answer; numbers in the answers are left out."""
    failures: list[str] = field(default_factory=list)
    """Whatever should not have come, with the number of its file."""
    slowest_s: float = 0.0
    slowest_file: int = -1
    decoders_lost: int = 0
    lost_over: list[int] = field(default_factory=list)
    """Numbers of the files whose decoder was lost, the first few."""
    seconds: float = 0.0
    memory_mb: dict[str, float] = field(default_factory=dict)
    """Resident: of this process and of the decoders, at the start and at the end."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--answer", action="store_true", help="GenreNeighbor's answer, too")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.files)
    report = run(numbers, arguments.seed, arguments.keep, whole=arguments.answer)
    if arguments.json:
        print(json.dumps(vars(report) | {"files_per_second": len(numbers) / report.seconds}))
    else:
        show(report, len(numbers))
    return 1 if report.failures else 0


def run(numbers: range, seed: int, keep: Path | None, *, whole: bool = False) -> Report:
    """Make, damage and decode the files of these numbers on all cores; answer for them if whole."""
    seeds, report, lock = make_seeds(), Report(), threading.Lock()
    limits = DecodeLimits()
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with (
        AudioIntake(limits) as intake,
        Progress(
            *Progress.get_default_columns()[:2],
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as progress,
    ):
        intake.warm_up()
        check: Check = partial(decoded, intake)
        if whole:
            clips, ear = [clip.as_track() for clip in shipped_clips()[:6]], Ear()
            heard = HeardTracks.listen_to(clips, ear, intake)
            check = partial(answered, GenreNeighbors.build(TagGenres(), heard, ear, intake))
        measure_memory(report, "start", intake)
        task = progress.add_task("damaged files", total=len(numbers))

        def one(number: int) -> None:
            audio = damaged_file(seeds, seed, number)
            answer, failure, seconds = ask(check, audio, limits)
            lost = "longer than" in answer or "not survive" in answer
            with lock:
                report.answers[answer] += 1
                if failure:
                    report.failures.append(f"file {number}: {failure}")
                if lost and len(report.lost_over) < PLACES_KEPT:
                    report.lost_over.append(number)
                if seconds > report.slowest_s:
                    report.slowest_s, report.slowest_file = seconds, number
            if keep is not None and (failure or lost):
                (keep / f"{seed}-{number}.bin").write_bytes(audio)
            progress.advance(task)

        start = time.perf_counter()
        with ThreadPoolExecutor(intake.n_processes) as threads:
            # In pieces, so that the futures of all files are not held at once.
            for piece in range(0, len(numbers), 1_000):
                list(threads.map(one, numbers[piece : piece + 1_000]))
        report.seconds = time.perf_counter() - start
        report.decoders_lost = intake.n_lost
        measure_memory(report, "end", intake)
    return report


def decoded(intake: AudioIntake, audio: bytes) -> tuple[str, str]:
    """Decode one file: the answer, and what is wrong with it or nothing."""
    samples = intake.decode(audio)
    good = len(samples) >= SAMPLE_RATE and np.isfinite(samples).all()
    return "decoded", "" if good else "samples that are too few or not finite"


def answered(neighbors: GenreNeighbors, audio: bytes) -> tuple[str, str]:
    """Answer for one file: the answer, and what is wrong with it or nothing."""
    answer = neighbors.by_audio(audio, 5)
    tags = [*answer.genres, *answer.moods, *answer.instruments]
    numbers = [*(p for _, p in tags), *(n.cosine for n in answer.neighbours)]
    good = np.isfinite(numbers).all() and abs(sum(p for _, p in answer.genres) - 1) < 1e-3
    return "answered", "" if good else "numbers that are not finite, or genres that do not sum to 1"


Check = Callable[[bytes], tuple[str, str]]


def ask(check: Check, audio: bytes, limits: DecodeLimits) -> tuple[str, str, float]:
    """Check one file: the answer, what was wrong with it or nothing, and the seconds it took."""
    start, failure = time.perf_counter(), ""
    try:
        answer, failure = check(audio)
    except InvalidRequestError as error:
        answer = re.sub(
            r"(?<!\w)-?\d+(\.\d+)?", "N", error.violations[0].description.partition(":")[0]
        )
    except Exception as error:
        answer = type(error).__name__
        failure = f"{answer}: {error}"
    seconds = time.perf_counter() - start
    if seconds > limits.wall_seconds + 1.0:
        failure = f"{seconds:.1f} s"
    return answer, failure, seconds


def make_seeds() -> list[bytes]:
    """Cut a piece of some clips and write each in one of the formats."""
    clips, seeds = shipped_clips(), []
    for number, (container, coding, rate, channels) in enumerate(FORMATS):
        clip = clips[number * 5 % len(clips)]
        n_frames = rate * (3 + number % 3) // 2
        wave = np.tile(soundfile.read(clip.path, dtype="float32")[0], 3)[:n_frames]
        stream = io.BytesIO()
        sound = np.repeat(wave[:, None], channels, axis=1)
        soundfile.write(stream, sound, rate, format=container, subtype=coding)
        seeds.append(stream.getvalue())
    return seeds


def damaged_file(seeds: list[bytes], seed: int, number: int) -> bytes:
    """Return file `number`: a seed damaged in one to three ways."""
    rng = np.random.default_rng((seed, number))
    audio = seeds[rng.integers(len(seeds))]
    for _ in range(rng.choice((1, 1, 2, 3))):
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        audio = damage(audio, seeds, rng)
    return audio


def flip_bits(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    return _flipped(audio, len(audio), rng)


def flip_bits_of_the_header(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    return _flipped(audio, min(len(audio), 200), rng)


def _flipped(audio: bytes, end: int, rng: Generator) -> bytes:
    changed = bytearray(audio)
    for place in rng.integers(0, end, int(rng.integers(1, 9))) if end else ():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def truncate(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    """More often near the end: most of the file is then still to be decoded."""
    return audio[: int(len(audio) * rng.random() ** 0.3)]


def splice(audio: bytes, seeds: list[bytes], rng: Generator) -> bytes:
    """Begin with this file and end with another."""
    other = seeds[rng.integers(len(seeds))]
    return (
        audio[: int(rng.integers(0, len(audio) + 1))]
        + other[int(rng.integers(0, len(other) + 1)) :]
    )


def duplicate(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    """Repeat a piece where it stands, or at another place."""
    start, end = np.sort(rng.integers(0, len(audio) + 1, 2))
    place = int(end) if rng.random() < 0.5 else int(rng.integers(0, len(audio) + 1))
    return audio[:place] + audio[start : min(end, start + 50_000)] + audio[place:]


def drop(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    start, end = np.sort(rng.integers(0, len(audio) + 1, 2))
    return audio[:start] + audio[min(end, start + 2_000) :]


def noise_behind_a_magic(_audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    return MAGICS[rng.integers(len(MAGICS))] + rng.bytes(int(rng.integers(0, 20_000)))


def noise_behind_a_header(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    return audio[: int(rng.integers(12, 300))] + rng.bytes(int(rng.integers(0, 60_000)))


def lie_after_a_landmark(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    """Write an extreme number into a field near the start of a chunk, page or stream."""
    places = [m.start() for mark in LANDMARKS for m in re.finditer(re.escape(mark), audio)]
    place = int(rng.choice(places)) + int(rng.integers(4, 40)) if places else 0
    return _overwritten(audio, place, rng)


def repeat_a_landmark(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    """Pretend thousands of chunks, pages or frames, which some decoders search one by one."""
    place = int(rng.integers(0, len(audio) + 1))
    landmark = LANDMARKS[rng.integers(len(LANDMARKS))] + bytes(int(rng.integers(0, 8)))
    return audio[:place] + landmark * int(rng.integers(1, 20_000)) + audio[place:]


def lie_in_the_header(audio: bytes, _seeds: list[bytes], rng: Generator) -> bytes:
    return _overwritten(audio, int(rng.integers(0, 64)), rng)


def _overwritten(audio: bytes, place: int, rng: Generator) -> bytes:
    value = int(EXTREMES[rng.integers(len(EXTREMES))])
    if rng.random() < 0.3:
        value = int(rng.integers(1 << 32))
    order = "<>"[int(rng.integers(2))]
    width = (1, 2, 4)[int(rng.integers(3))]
    lie = struct.pack(f"{order}I", value)
    piece = lie[:width] if order == "<" else lie[-width:]
    return audio[:place] + piece + audio[place + width :]


Damage = Callable[[bytes, list[bytes], Generator], bytes]
DAMAGES: tuple[Damage, ...] = (
    flip_bits,
    flip_bits_of_the_header,
    truncate,
    splice,
    duplicate,
    drop,
    noise_behind_a_magic,
    noise_behind_a_header,
    lie_after_a_landmark,
    repeat_a_landmark,
    lie_in_the_header,
)


def measure_memory(report: Report, when: str, intake: AudioIntake) -> None:
    """Note resident megabytes where the system shows them as Linux does."""
    pids = intake.idle_pids()
    for who, found in (("this process", (os.getpid(),)), ("decoders", pids)):
        if Path("/proc/self/statm").exists():
            report.memory_mb[f"{who}, {when}"] = round(sum(resident_mb(found)), 1)


def resident_mb(pids: Iterable[int]) -> list[float]:
    page = os.sysconf("SC_PAGE_SIZE")
    return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page / 1e6 for pid in pids]


def show(report: Report, n_files: int) -> None:
    for answer, count in report.answers.most_common():
        print(f"{count:8}  {answer}")
    print(f"{n_files} files in {report.seconds:.0f} s, {n_files / report.seconds:.0f} a second")
    print(f"slowest: {report.slowest_s:.3f} s, file {report.slowest_file}")
    print(f"decoders lost: {report.decoders_lost} {report.lost_over}")
    print(*(f"{who}: {mb} MB" for who, mb in report.memory_mb.items()), sep="; ")
    for failure in report.failures:
        print(f"FAILED {failure}")


if __name__ == "__main__":
    sys.exit(main())
