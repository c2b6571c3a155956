from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from domains.music.audio.clips import Clip
from domains.music.audio.decode import SAMPLE_RATE, decode_file
from domains.music.audio.preview import Preview, choose_preview, preview_of
from domains.music.audio.spectra import analyse

Samples = NDArray[np.float32]

A_PIECE_MS = 7
"""An onset is found to 6 ms, and rounded down to 1."""


def noise(seconds: float, loudness: float, seed: int = 0) -> Samples:
    """Return noise of that root mean square."""
    rng = np.random.default_rng(seed)
    return (loudness * rng.standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)


def melody(notes: list[int], note_s: float, loudness: float) -> Samples:
    """Return tones of that root mean square, in semitones from A."""
    time_s = np.arange(int(note_s * SAMPLE_RATE)) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * 440 * 2 ** (note / 12) * time_s) for note in notes]
    samples: Samples = (np.sqrt(2) * loudness * np.concatenate(tones)).astype(np.float32)
    return samples


def test_the_loud_part_between_quiet_parts_is_chosen() -> None:
    samples = np.concatenate([noise(8, 0.01), noise(10, 0.2), noise(8, 0.01)])
    preview = choose_preview(samples, seconds=10)
    assert preview.length_ms == 10_000
    assert 8_000 - A_PIECE_MS <= preview.start_ms <= 8_000


def test_of_equally_loud_parts_the_one_that_comes_again_is_chosen() -> None:
    motif = melody([0, 4, 7, 11, 2, 9, 5, 3], note_s=0.5, loudness=0.1)
    samples = np.concatenate([noise(12, 0.1), motif, motif, noise(8, 0.1, seed=1)])
    preview = choose_preview(samples, seconds=8)
    assert abs(preview.start_ms - 12_000) <= 1_200


def test_of_a_tune_and_its_repeat_around_other_music_either_is_chosen() -> None:
    rng = np.random.default_rng(3)
    tune = melody([0, 7, 4, 7, 0, 5, 9, 5], note_s=0.5, loudness=0.1)
    other = [melody(list(rng.integers(-9, 12, 16)), 0.5, 0.1) for _ in range(2)]
    preview = choose_preview(np.concatenate([tune, other[0], tune, other[1]]), seconds=4)
    assert min(abs(preview.start_ms - at) for at in (0, 12_000)) <= 1_200


@pytest.mark.parametrize("first_s", [0.0, 0.3])
def test_the_window_on_a_click_track_begins_with_a_click(first_s: float) -> None:
    time_s = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE - first_s
    sounds = (time_s >= 0) & (time_s % 0.6 < 0.02)
    clicks = np.where(sounds, np.cos(2 * np.pi * 1_000 * time_s), 0).astype(np.float32)
    start_ms = choose_preview(clicks, seconds=8).start_ms
    until_next_click_ms = -(start_ms - 1_000 * first_s) % 600
    assert until_next_click_ms <= A_PIECE_MS


def test_a_sound_no_longer_than_the_window_is_its_own_preview() -> None:
    assert choose_preview(noise(3, 0.1), seconds=15) == Preview(0, 3_000)
    assert choose_preview(noise(3, 0.1), seconds=3) == Preview(0, 3_000)


def test_nothing_stands_out_in_a_steady_tone_so_the_beginning_is_chosen() -> None:
    preview = choose_preview(melody([0], note_s=20, loudness=0.1), seconds=10)
    assert preview.start_ms <= 1_000


@pytest.mark.parametrize("seconds", [0.05, 0.5, 2.999, 3.0, 7.3, 11.999])
@pytest.mark.parametrize("loud_s", [0.0, 6.0, 11.5])
def test_no_window_ends_after_the_sound(seconds: float, loud_s: float) -> None:
    samples = noise(12, 0.01)
    samples[int(loud_s * SAMPLE_RATE) :][:SAMPLE_RATE] *= 50
    preview = choose_preview(samples, seconds)
    assert preview.length_ms == round(1_000 * seconds)
    assert 0 <= preview.start_ms <= 12_000 - preview.length_ms


def test_features_and_preview_can_share_one_transform(clips: tuple[Clip, ...]) -> None:
    samples = decode_file(clips[0].path)
    assert preview_of(analyse(samples), 4) == choose_preview(samples, 4)


def test_volume_does_not_move_the_window(clips: tuple[Clip, ...]) -> None:
    for clip in clips[:6]:
        samples = decode_file(clip.path)
        assert choose_preview(samples, 4) == choose_preview(samples * np.float32(0.25), 4)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_window_without_a_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="length above 0 s"):
        choose_preview(noise(2, 0.1), seconds)
