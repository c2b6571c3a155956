from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from domains.music.audio.clips import Clip
from domains.music.audio.decode import SAMPLE_RATE, decode_file
from domains.music.audio.features import FEATURE_NAMES, extract_features, warm_up

Samples = NDArray[np.float64]


def feature(samples: Samples, name: str) -> float:
    return float(extract_features(samples.astype(np.float32))[FEATURE_NAMES.index(name)])


def test_the_names_are_distinct_and_in_a_fixed_order() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == 89
    assert (FEATURE_NAMES[0], FEATURE_NAMES[44], FEATURE_NAMES[88]) == (
        "mfcc_0_mean",
        "mfcc_0_var",
        "tempo_bpm",
    )


def test_every_shipped_clip_decodes_and_has_finite_features(clips: tuple[Clip, ...]) -> None:
    for clip in clips:
        samples = decode_file(clip.path)
        assert 5 * SAMPLE_RATE < len(samples) <= 10 * SAMPLE_RATE
        features = extract_features(samples)
        assert features.shape == (89,)
        assert np.isfinite(features).all()
        assert 60 <= features[-1] <= 200


def test_the_same_samples_give_the_same_features(clips: tuple[Clip, ...]) -> None:
    samples = decode_file(clips[0].path)
    np.testing.assert_array_equal(extract_features(samples), extract_features(samples))


def test_threads_do_not_disturb_each_other(clips: tuple[Clip, ...]) -> None:
    signals = [decode_file(clip.path) for clip in clips[:8]]
    one_by_one = [extract_features(samples) for samples in signals]
    with ThreadPoolExecutor(4) as threads:
        np.testing.assert_array_equal(list(threads.map(extract_features, signals)), one_by_one)


def test_a_short_sound_after_a_long_one_has_its_own_features(tone: Samples) -> None:
    samples = tone.astype(np.float32)
    alone = extract_features(samples)
    extract_features(np.tile(samples, 4) + np.float32(0.1))
    np.testing.assert_array_equal(extract_features(samples), alone)


def test_volume_does_not_matter(clips: tuple[Clip, ...]) -> None:
    samples = decode_file(clips[0].path)
    np.testing.assert_allclose(
        extract_features(samples), extract_features(samples * np.float32(0.25)), rtol=1e-3
    )


def test_a_pure_tone_has_its_own_centroid_pitch_class_and_no_spread(tone: Samples) -> None:
    a_is_the_tenth_pitch_class_from_c = "chroma_9_mean"
    assert feature(tone, "centroid_hz_mean") == pytest.approx(440, abs=25)
    assert feature(tone, "zero_crossing_rate_mean") == pytest.approx(
        2 * 440 / SAMPLE_RATE, rel=0.05
    )
    assert feature(tone, a_is_the_tenth_pitch_class_from_c) > 0.95
    assert feature(tone, "rms_mean") == pytest.approx(1 / np.sqrt(2), abs=0.05)


def test_clicks_at_120_beats_a_minute_have_that_tempo() -> None:
    time_s = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    clicks = np.where(time_s % 0.5 < 0.02, np.sin(2 * np.pi * 1_000 * time_s), 0.0)
    assert feature(clicks, "tempo_bpm") == pytest.approx(120, rel=0.05)


@pytest.mark.parametrize("at", [0, SAMPLE_RATE // 2, SAMPLE_RATE - 1])
def test_one_click_in_the_shortest_sound_has_finite_features(at: int) -> None:
    click = np.zeros(SAMPLE_RATE, dtype=np.float32)
    click[at] = 1.0
    assert np.isfinite(extract_features(click)).all()


def test_warming_up_needs_nothing() -> None:
    warm_up()
