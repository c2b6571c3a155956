"""Numbers of windows are compared on the same clips, by models that had not heard the artist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.tagger_windows import COUNTS, MODELS, evenly_spread, mean_tags, report
from domains.music.audio.sound import N_WINDOWS

N_TAGS = 4
N_ARTISTS = 6
CLIPS_AN_ARTIST = 3


def taggram(genre: int, n_windows: int = 12) -> NDArray[np.float64]:
    """The last third says the genre, all before says nothing."""
    windows = np.full((n_windows, N_TAGS), 0.2)
    windows[2 * n_windows // 3 :, genre] = 0.9
    return windows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines, frames, owners = ["filename,label,loudness"], [], []
    for genre, name in enumerate(("blues", "jazz")):
        for artist in range(N_ARTISTS):
            for clip in range(CLIPS_AN_ARTIST):
                file = f"{name}.{10 * artist + clip:05d}.wav"
                lines.append(f"{file},{name},{clip}")
                frames.append(taggram(genre))
                owners += [f"somewhere/{file}"] * len(frames[-1])
    lines.append("blues.00999.wav,blues,1")  # a clip without a taggram is left out
    (tmp_path / "features.csv").write_text("\n".join(lines) + "\n")
    np.savez(tmp_path / "taggrams.npz", X=np.vstack(frames), IDS=np.array(owners))
    return tmp_path


def test_windows_are_evenly_spread() -> None:
    assert evenly_spread(28, 1).tolist() == [13]
    assert evenly_spread(28, 2).tolist() == [6, 20]
    assert evenly_spread(28, 4).tolist() == [3, 10, 17, 24]


def test_of_a_short_clip_every_window_counts_once() -> None:
    assert evenly_spread(3, 10).tolist() == [0, 1, 2]


def test_tags_are_means_over_the_windows_heard() -> None:
    clip = np.arange(6.0).reshape(6, 1)
    assert mean_tags([clip, clip[::-1]], 1).tolist() == [[2.0], [3.0]]
    assert mean_tags([clip]).tolist() == [[2.5]]


def test_more_windows_hear_what_one_misses(folder: Path) -> None:
    shares: list[float] = []
    found = report(folder, deals=2, seed=1, progress=lambda _, share: shares.append(share))

    assert found["clips"] == 2 * N_ARTISTS * CLIPS_AN_ARTIST
    assert shares.count(1.0) == len(found["sets"])
    for rows in found["sets"].values():
        assert [(row["windows"], row["model"]) for row in rows] == [
            (count, model) for count in (*COUNTS, None) for model in MODELS
        ]
        accuracy = {row["windows"]: row["accuracy"] for row in rows if row["model"] == "kernel"}
        assert accuracy[1] <= 0.6
        assert accuracy[N_WINDOWS] == accuracy[None] == 1.0
        served = next(row for row in rows if row["windows"] == N_WINDOWS)
        assert served["accuracy_above_served"] == [0.0, 0.0, 0.0]
