"""How long a sound takes from bytes to answer, how many at once, and what memory stays taken."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import shipped_clips
from domains.music.audio.decode import SAMPLE_RATE, decode_file
from domains.music.audio.intake import AudioIntake

CLIP_SECONDS = 30
_CONTAINERS = ("WAV", "FLAC", "OGG", "MP3")
_SETTLED = 0.2
"""Share of the clips after which memory is expected not to grow any more."""
_SAMPLES = 50
"""Readings of memory over a run."""
_K = 10


@dataclass(frozen=True)
class BenchClip:
    """A sound file in memory."""

    name: str
    """Container, rate and channels."""
    audio: bytes


def bench_clips() -> tuple[BenchClip, ...]:
    """Clips of 30 s in every container, made of those that ship with Encore."""
    shipped = [decode_file(clip.path) for clip in shipped_clips()]
    joined = np.concatenate(shipped)
    length = CLIP_SECONDS * SAMPLE_RATE
    parts = [joined[start : start + length] for start in range(0, len(joined) - length, length)]
    clips = []
    for number, part in enumerate(parts):
        container = _CONTAINERS[number % len(_CONTAINERS)]
        if number // len(_CONTAINERS) % 2:
            name, audio = "44.1 kHz stereo", _encoded(_stereo(part), 2 * SAMPLE_RATE, container)
        else:
            name, audio = "22.05 kHz mono", _encoded(part, SAMPLE_RATE, container)
        clips.append(BenchClip(f"{container.lower()} {name}", audio))
    return tuple(clips)


def bench_genre(
    neighbors: GenreNeighbors,
    *,
    calls: int,
    many: int,
    progress: Callable[[str, float], None],
) -> dict[str, Any]:
    """Measure.

    Args:
        neighbors: what is asked.
        calls: clips heard one after the other on one core.
        many: clips heard by two threads on two cores.
        progress: called with the step and the share done.

    Returns:
        A report for JSON: milliseconds from bytes to answer on one core, by kind of file too; clips
        a second on two cores and how many times one core's; memory of this process and its decoders
        in MB along the run.
    """
    clips = bench_clips()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
    torch.set_num_threads(1)
    with threadpool_limits(1):
        with _pinned(cores[:1]), AudioIntake(n_processes=1) as intake:
            asked = replace(neighbors, intake=intake)
            asked.warm_up()
            _hear(asked, clips)  # the first of each kind of file is not timed
            latencies = []
            for clip in islice(cycle(clips), calls):
                latencies.append((clip.name, _seconds(asked, clip)))
                progress("one after the other, one core", len(latencies) / calls)
        with _pinned(cores[:2]), AudioIntake(n_processes=2) as intake:
            asked = replace(neighbors, intake=intake)
            asked.warm_up()
            seconds, memory = _hear_many(asked, clips, many, progress)
    ms = np.array([1_000 * s for _, s in latencies])
    settled = memory[int(_SETTLED * len(memory)) :]
    return {
        "clip_seconds": CLIP_SECONDS,
        "calls": calls,
        "p50_ms": float(np.median(ms)),
        "p95_ms": float(np.quantile(ms, 0.95)),
        "by_file": {
            name: float(np.median([1_000 * s for n, s in latencies if n == name]))
            for name in dict.fromkeys(n for n, _ in latencies)
        },
        "per_second_one_core": float(1_000 / ms.mean()),
        "many": many,
        "per_second_two_cores": many / seconds,
        "two_cores_over_one": many / seconds * ms.mean() / 1_000,
        "memory_mb": [round(value, 1) for value in memory],
        "memory_settled_mb": round(settled[0], 1) if settled else None,
        "memory_end_mb": round(settled[-1], 1) if settled else None,
    }


def _hear(neighbors: GenreNeighbors, clips: Sequence[BenchClip]) -> None:
    for clip in clips:
        neighbors.by_audio(clip.audio, _K)


def _seconds(neighbors: GenreNeighbors, clip: BenchClip) -> float:
    started = time.perf_counter()
    neighbors.by_audio(clip.audio, _K)
    return time.perf_counter() - started


def _hear_many(
    neighbors: GenreNeighbors,
    clips: Sequence[BenchClip],
    many: int,
    progress: Callable[[str, float], None],
) -> tuple[float, list[float]]:
    """Seconds taken by two threads, and memory in MB along the way (empty where unknown)."""
    memory: list[float] = []
    decoders = neighbors.intake.idle_pids()  # all of them: none has been asked yet
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        heard = pool.map(
            lambda clip: neighbors.by_audio(clip.audio, _K), islice(cycle(clips), many)
        )
        for number, _ in enumerate(heard, start=1):
            if number % max(1, many // _SAMPLES) == 0:
                memory += _memory_mb(decoders)
                progress("two at a time, two cores", number / many)
    return time.perf_counter() - started, memory


def _memory_mb(decoders: Sequence[int]) -> list[float]:
    pages = 0
    for pid in ("self", *decoders):
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            return []  # not Linux
    return [pages * os.sysconf("SC_PAGE_SIZE") / 1e6]


@contextmanager
def _pinned(cores: Sequence[int]) -> Iterator[None]:
    """Keep this thread, and all threads and processes that it starts, on some cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _stereo(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = librosa.resample(
        samples, orig_sr=SAMPLE_RATE, target_sr=2 * SAMPLE_RATE, res_type="soxr_hq"
    )
    return np.stack([wide, 0.8 * wide], axis=1)


def _encoded(samples: NDArray[np.float32], rate: int, container: str) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.clip(samples, -1.0, 1.0), rate, format=container)
    return stream.getvalue()
