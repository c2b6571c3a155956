"""What describing a sound costs: `python -m benchmarks.audio_features`, half a minute on one core.

Thirty seconds of the shipped clips, described by the fast path and by librosa's own functions in
turn, so that both meet the machine in the same moods; and how far the numbers lie apart. Set
OMP_NUM_THREADS=1 to measure one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.librosa_features import librosa_features
from domains.music.audio.clips import shipped_clips
from domains.music.audio.decode import SAMPLE_RATE, decode_file
from domains.music.audio.features import FEATURE_NAMES, extract_features
from domains.music.audio.preview import choose_preview, preview_of
from domains.music.audio.spectra import analyse


def clip_of(seconds: float) -> NDArray[np.float32]:
    """As many shipped clips as fill so many seconds, one after the other, of every genre."""
    clips = shipped_clips()
    n_samples = int(seconds * SAMPLE_RATE)
    samples = np.concatenate([decode_file(clip.path) for clip in clips[::5] + clips[1::5]])
    assert len(samples) >= n_samples, f"the clips last {len(samples) / SAMPLE_RATE:.0f} s"
    return samples[:n_samples]


def worst_differences() -> dict[str, float]:
    """Of each family of columns over all shipped clips: the largest relative difference."""
    worst: dict[str, float] = {}
    for clip in shipped_clips():
        samples = decode_file(clip.path)
        fast, slow = extract_features(samples), librosa_features(samples)
        for name, of_fast, of_slow in zip(FEATURE_NAMES, fast, slow, strict=True):
            family = f"{name.split('_')[0]} {name.rsplit('_', 1)[1]}"
            apart = abs(of_fast - of_slow) / max(abs(of_slow), 1e-12)
            worst[family] = max(worst.get(family, 0.0), float(apart))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the sound")
    parser.add_argument("--runs", type=int, default=31, help="of each")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    samples = clip_of(options.seconds)
    spectra = analyse(samples)
    works = {
        "librosa": lambda: librosa_features(samples),
        "fast": lambda: extract_features(samples),
        "preview_alone": lambda: choose_preview(samples),
        "preview_of_spectra": lambda: preview_of(spectra),
    }
    times_ms: dict[str, list[float]] = {name: [] for name in works}
    for run in range(options.runs + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if run:
                times_ms[name].append(1e3 * (time.perf_counter() - start))
    ratios = [slow / fast for slow, fast in zip(times_ms["librosa"], times_ms["fast"], strict=True)]
    differences = worst_differences()
    figures = {
        "seconds": options.seconds,
        "median_ms": {name: statistics.median(times) for name, times in times_ms.items()},
        "fastest_ms": {name: min(times) for name, times in times_ms.items()},
        "librosa_over_fast": statistics.median(ratios),
        "worst_relative_difference": differences,
    }
    print(f"{options.seconds:g} s of sound, {options.runs} runs in turn: median ms (fastest)")
    for name, times in times_ms.items():
        print(f"  {name:<22}{statistics.median(times):>8.1f} ({min(times):.1f})")
    print(f"  librosa over fast, median of the runs: {figures['librosa_over_fast']:.2f}")
    print("largest relative difference over the shipped clips")
    for family, apart in differences.items():
        print(f"  {family:<22}{apart:>10.1e}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
