"""Tempo of made-up onsets: librosa's, however unequal the parts of a sound are."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.rhythm import estimate_tempo, onset_strength
from domains.music.audio.transform import HOP


def librosas_tempo(onsets: NDArray[np.float32]) -> float:
    tempo = librosa.feature.tempo(onset_envelope=onsets, sr=SAMPLE_RATE, hop_length=HOP)
    return float(tempo[0])


# Derandomised: of two tempi as likely to the last bit either may win.
@settings(max_examples=50, derandomize=True)
@given(
    n=st.integers(44, 2_600),
    period=st.integers(8, 120),
    decades=st.floats(0, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_beat_that_fades_by_many_decades_has_librosas_tempo(
    n: int, period: int, decades: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    beats = (np.arange(n) % period == 0) + 0.2 * rng.random(n)
    onsets = (beats * 10 ** np.linspace(0, -decades, n)).astype(np.float32)
    assert estimate_tempo(onsets) == librosas_tempo(onsets)


def test_next_to_nothing_between_two_loud_beats_counts_as_much_as_they_do() -> None:
    onsets = np.full(2_000, 1e-9, dtype=np.float32)
    onsets[500:1_500:25] = 2e-9
    onsets[[0, -1]] = 1.0
    assert estimate_tempo(onsets) == librosas_tempo(onsets)


@pytest.mark.parametrize("n", [1, 44, 1_292])
def test_where_nothing_begins_there_is_no_tempo(n: int) -> None:
    assert estimate_tempo(np.zeros(n, dtype=np.float32)) == 0.0


def test_onsets_stand_where_the_sound_does() -> None:
    mel_db = np.full((20, 4), -80.0, dtype=np.float32)
    mel_db[10:] = 0.0
    strength = onset_strength(mel_db)
    assert strength.argmax() == 12
    assert strength.max() == pytest.approx(80.0)
    assert len(strength) == 20
