"""The tagger is the published one: its answers are those of the original graph."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BundleError
from domains.music.audio.clips import CLIPS_DIRECTORY
from domains.music.audio.decode import SAMPLE_RATE, decode_file
from domains.music.audio.tagger import MSD_TAGS, MTT_TAGS, Tagger, TagKind, kind_of
from domains.music.audio.tagger.front_end import FrontEnd
from domains.music.audio.tagger.network import N_BANDS, N_FRAMES, Musicnn
from domains.music.audio.tagger.resampling import Resampled
from domains.music.audio.tagger.short_filters import (
    OUTPUTS,
    POINTS,
    gather,
    peak_across,
    peak_along,
    places,
    transform_filters,
    transform_rows,
)
from domains.music.audio.tagger.spectrogram import SAMPLE_RATE as TAGGER_RATE
from domains.music.audio.tagger.spectrogram import log_mel, n_frames
from domains.music.audio.tagger.tagger import log_mel_windows, window_starts

ORIGINAL = np.load(Path(__file__).parent / "data" / "musicnn.npz")
"""Made by `domains/music/audio/tagger/convert.py fixtures` from clips that ship with Encore."""
CLIPS = sorted({name.split("/")[1] for name in ORIGINAL})


@pytest.fixture(scope="module", params=["msd", "mtt"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tagger(name: str) -> Tagger:
    return Tagger.load(name)


@pytest.mark.parametrize("clip", CLIPS)
def test_it_answers_as_the_original_graph_does(name: str, tagger: Tagger, clip: str) -> None:
    samples, rate = soundfile.read(CLIPS_DIRECTORY / f"{clip}.ogg", dtype="float32")

    heard = tagger.listen(samples, rate)

    np.testing.assert_allclose(heard.tags, ORIGINAL[f"{name}/{clip}/tags"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(heard.units[:1], ORIGINAL[f"{name}/{clip}/units"], rtol=0, atol=1e-3)


def test_what_decoding_does_to_a_sound_changes_next_to_nothing() -> None:
    tagger = Tagger.load("msd")
    clip = "classical_brahms_0"
    heard = tagger.listen(decode_file(CLIPS_DIRECTORY / f"{clip}.ogg"), SAMPLE_RATE)
    np.testing.assert_allclose(heard.tags, ORIGINAL[f"msd/{clip}/tags"], rtol=0, atol=5e-3)


def test_the_fast_front_end_equals_the_networks_own(name: str) -> None:
    network = Musicnn.load(
        Path(__file__).parents[3] / f"domains/music/audio/tagger/weights/{name}_musicnn.safetensors"
    )
    windows = np.random.default_rng(1).uniform(0, 4, (2, N_FRAMES, N_BANDS)).astype(np.float32)
    with torch.inference_mode():
        plain = network.front_end(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(FrontEnd(network)(windows), plain, rtol=0, atol=5e-4)


def test_windows_are_heard_alone_as_together(tagger: Tagger) -> None:
    windows = np.random.default_rng(2).uniform(0, 4, (3, N_FRAMES, N_BANDS)).astype(np.float32)
    together = tagger.hear(windows)
    for row in range(3):
        alone = tagger.hear(windows[row : row + 1])
        np.testing.assert_allclose(alone.tags[0], together.tags[row], rtol=0, atol=1e-6)


def test_the_spectrogram_of_a_window_is_that_of_the_whole_signal() -> None:
    samples = np.random.default_rng(3).normal(0, 0.1, 5 * TAGGER_RATE).astype(np.float32)
    whole = librosa.feature.melspectrogram(
        y=samples, sr=TAGGER_RATE, n_fft=512, hop_length=256, n_mels=N_BANDS
    ).T
    whole = np.log10(10_000 * whole.astype(np.float16).astype(np.float32) + 1)

    (first, later) = log_mel(samples, np.array([0, 101]))

    # A power on the border between two half-precision numbers may fall to either side.
    np.testing.assert_allclose(first, whole[:N_FRAMES], rtol=0, atol=1e-3)
    np.testing.assert_allclose(later, whole[101 : 101 + N_FRAMES], rtol=0, atol=1e-3)


RATES = (1_000, 8_000, 11_025, 16_001, 22_050, 22_051, 44_100, 48_000, 192_000)


@pytest.mark.parametrize("rate", RATES)
def test_a_stretch_of_a_resampled_sound_is_librosas(rate: int) -> None:
    for n_samples in (rate // 30, int(2.345 * rate), 4 * rate + 1):
        samples = np.random.default_rng(5).uniform(-1, 1, n_samples).astype(np.float32)
        whole = librosa.resample(samples, orig_sr=rate, target_sr=TAGGER_RATE, res_type="soxr_hq")

        resampled = Resampled(samples, rate, TAGGER_RATE)

        n = len(resampled)
        assert n == len(whole)
        for first, end in ((0, 1), (0, n), (n // 3, n // 2 + 1), (n - n // 7, n), (n - 1, n)):
            stretch = resampled.stretch(first, end)
            assert stretch.dtype == np.float32
            # Where the rates share no factor soxr itself rounds by where it began.
            np.testing.assert_allclose(stretch, whole[first:end], rtol=0, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.floats(0.1, 12),
    rate=st.sampled_from((8_000, 16_000, 22_050, 44_100, 48_000)),
    most=st.none() | st.integers(1, 3),
)
def test_windows_are_those_of_the_whole_sound_at_the_taggers_rate(
    seconds: float, rate: int, most: int | None
) -> None:
    samples = np.random.default_rng(6).normal(0, 0.2, int(seconds * rate)).astype(np.float32)
    whole = librosa.resample(samples, orig_sr=rate, target_sr=TAGGER_RATE, res_type="soxr_hq")
    if len(whole) < 3.1 * TAGGER_RATE:
        whole = np.resize(whole, int(3.1 * TAGGER_RATE))
    of_whole = log_mel(whole, window_starts(n_frames(len(whole)), most))

    windows = log_mel_windows(samples, rate, most)

    # Equal but for powers on the border between two half-precision numbers.
    apart = np.abs(windows - of_whole)
    assert apart.shape == of_whole.shape
    assert apart.max() <= 1e-3
    assert np.mean(apart > 1e-6) <= 0.01


def test_full_scale_noise_is_heard_without_infinities() -> None:
    heard = Tagger.load().listen(np.sign(np.random.default_rng(4).normal(size=80_000)), TAGGER_RATE)
    assert np.isfinite(heard.tags).all()


def test_a_sound_shorter_than_a_window_is_repeated() -> None:
    tagger = Tagger.load()
    one_second = np.sin(np.arange(TAGGER_RATE) * 0.2).astype(np.float32)
    heard = tagger.listen(one_second, TAGGER_RATE)
    again = tagger.listen(np.resize(one_second, int(3.1 * TAGGER_RATE)), TAGGER_RATE)
    assert heard.tags.shape == (1, 50)
    np.testing.assert_array_equal(heard.tags, again.tags)


@given(frames=st.integers(N_FRAMES, 5_000), most=st.none() | st.integers(1, 20))
def test_windows_lie_inside_the_sound_in_order(frames: int, most: int | None) -> None:
    starts = window_starts(frames, most)
    assert 1 <= len(starts) == min(frames // N_FRAMES, most or frames)
    assert starts[0] >= 0
    assert starts[-1] + N_FRAMES <= frames
    assert (np.diff(starts) >= N_FRAMES).all()


def test_a_signal_has_a_frame_at_every_multiple_of_the_hop() -> None:
    assert [n_frames(n) for n in (0, 255, 256, 16_000)] == [1, 1, 2, 63]


@settings(deadline=None)
@given(
    seed=st.integers(0, 100),
    n_across=st.integers(1, 3),
    n_taps=st.integers(1, 13),
    n=st.integers(13, 30),
)
def test_short_filters_are_plain_correlation(seed: int, n_across: int, n_taps: int, n: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n_across + 4, n)).astype(np.float32)
    filters = random.normal(size=(n_across, n_taps, 3)).astype(np.float32)
    n_rows, n_outputs = 5, n - n_taps + 1
    plain = np.array(
        [
            [
                np.tensordot(rows[row : row + n_across, at : at + n_taps], filters, 2)
                for at in range(n_outputs)
            ]
            for row in range(n_rows)
        ]
    )  # (rows, outputs, filters)

    transformed = transform_filters(filters)
    n_blocks, n_tiles = transformed.shape[1] // n_across, -(-n_outputs // OUTPUTS)
    inputs = transform_rows(rows, places(n_tiles, n_blocks))
    laid_out = np.empty((POINTS, n_tiles * n_rows, n_across * n_blocks), dtype=np.float32)
    gather(inputs, 0, n_rows, n_across, n_tiles, n_blocks, laid_out)
    products = laid_out @ transformed

    along = np.empty((n_rows, 3), dtype=np.float32)
    peak_along(products, n_tiles, n_outputs, along)
    np.testing.assert_allclose(along, plain.max(axis=1), atol=1e-3)
    across = np.full((n_tiles * OUTPUTS, 3), -np.inf, dtype=np.float32)
    peak_across(products, n_rows, across)
    np.testing.assert_allclose(across[:n_outputs], plain.max(axis=0), atol=1e-3)


def test_every_tag_has_a_kind() -> None:
    assert len(MSD_TAGS) == len(MTT_TAGS) == 50
    assert kind_of("jazz") is TagKind.GENRE
    assert kind_of("sad") is TagKind.MOOD
    assert kind_of("violin") is TagKind.INSTRUMENT
    assert kind_of("80s") is TagKind.OTHER
    with pytest.raises(KeyError):
        kind_of("no such tag")


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "msd_musicnn.safetensors"
    damaged.write_bytes(b"not weights")
    with pytest.raises(BundleError, match="reinstall Encore"):
        Musicnn.load(damaged)
