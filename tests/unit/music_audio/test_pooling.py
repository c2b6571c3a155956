from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, softmax

from domains.music.audio.genre import Pooling
from domains.music.audio.genre_labels import GenreLabels

Logits = NDArray[np.float64]


def drawn(truth: Logits, seed: int) -> GenreLabels:
    """A genre for each row, drawn with the probabilities `(n, n_genres)`."""
    random = np.random.default_rng(seed)
    return GenreLabels.of([{"abc"[random.choice(truth.shape[1], p=row)]} for row in truth])


def log_loss(pooling: Pooling, logits: Logits, labels: GenreLabels) -> float:
    shares = pooling.probabilities(logits, labels.several)
    if labels.several:
        of_marks = np.where(labels.marks > 0, shares, 1.0 - shares)
        return -float(np.log(of_marks).mean())
    return -float(np.log((shares * labels.marks).sum(axis=1)).mean())


def test_a_weighted_sum_of_logits_becomes_shares_that_sum_to_one() -> None:
    trees, kernel = np.array([[np.log(2.0), 0.0]]), np.array([[np.log(8.0), 0.0]])
    shares = Pooling((1.0, 1 / 3)).probabilities(np.array([trees, kernel]), several=False)
    np.testing.assert_allclose(shares, [[0.8, 0.2]])


def test_where_genres_go_together_each_has_a_probability_of_its_own() -> None:
    logits = np.tile([[0.0, np.log(3.0)]], (3, 1, 1))
    shares = Pooling().probabilities(logits, several=True)
    np.testing.assert_allclose(shares, [[0.5, 0.75]])
    moved = Pooling(offset=np.log(3.0)).probabilities(logits, several=True)
    np.testing.assert_allclose(moved, [[0.75, 0.9]])


def test_a_temperature_is_found_again() -> None:
    # Genres are drawn from logits; both parts report them twice as sure as they are.
    logits = np.random.default_rng(0).normal(scale=2.0, size=(20_000, 3))
    labels = drawn(softmax(logits, axis=1), seed=1)
    found = Pooling.fit(np.array([2 * logits, 2 * logits]), labels)
    assert sum(found.weights) == pytest.approx(0.5, abs=0.02)
    assert found.offset == 0.0


def test_a_part_that_knows_nothing_gets_the_least_weight() -> None:
    random = np.random.default_rng(0)
    logits, noise = random.normal(scale=2.0, size=(2, 20_000, 2))
    labels = drawn(softmax(logits, axis=1), seed=1)
    found = Pooling.fit(np.array([noise, logits]), labels)
    assert found.weights[0] == 0.05
    assert found.weights[1] == pytest.approx(1.0, abs=0.1)


def test_an_offset_is_found_where_genres_go_together() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(scale=2.0, size=(20_000, 2))
    marks = random.uniform(size=logits.shape) < expit(logits - 1.0)
    sets = [{genre for genre, has in zip("ab", own, strict=True) if has} for own in marks]
    found = Pooling.fit(np.array([logits, logits]), GenreLabels.of(sets))
    assert sum(found.weights) == pytest.approx(1.0, abs=0.05)
    assert found.offset == pytest.approx(-1.0, abs=0.05)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), several=st.booleans())
def test_fitting_never_raises_the_log_loss(seed: int, several: bool) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(scale=3.0, size=(3, 12, 3))
    sets: list[set[str]] = [{"a"}, {"b"}, {"c"}] * 4
    labels = GenreLabels.of([own | {"a"} for own in sets] if several else sets)
    found = Pooling.fit(logits, labels)
    fitted = log_loss(found, logits, labels)
    assert fitted <= log_loss(Pooling(), logits, labels) + 1e-9
