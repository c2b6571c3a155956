from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from domains.music.audio.columns import Columns
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.kernel_logistic import KernelLogistic

COLUMNS = Columns.of(["x", "y"])
CORNERS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "top": (0.0, 2.0)}

Values = NDArray[np.float64]


def around(genres: Sequence[str], seed: int = 0) -> Values:
    """Points within a tenth of the corner of their genre."""
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, size=(len(genres), 2))
    points: Values = np.array([CORNERS[genre] for genre in genres]) + noise
    return points


def fitted(genres: Sequence[str]) -> tuple[KernelLogistic, GenreLabels]:
    labels = GenreLabels.of([{genre} for genre in genres])
    return KernelLogistic.fit(COLUMNS, around(genres), labels, seed=1), labels


@pytest.mark.parametrize("genres", [["left", "right"], ["left", "right", "top"]])
def test_points_near_those_it_knows_have_their_genre(genres: list[str]) -> None:
    model, labels = fitted(genres * 5)
    guesses = model.logits(COLUMNS, around(genres, seed=2)).argmax(axis=1)
    assert [labels.genres[guess] for guess in guesses] == genres


def test_a_ring_around_a_point_is_told_from_it() -> None:
    # No straight line does this.
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    middle = 0.1 * ring
    labels = GenreLabels.of([{"ring"}] * 24 + [{"middle"}] * 24)
    model = KernelLogistic.fit(COLUMNS, np.vstack([ring, middle]), labels, seed=0)
    logits = model.logits(COLUMNS, np.array([[0.0, 0.0], [0.7, 0.7], [-1.0, 0.1]]))
    assert [labels.genres[guess] for guess in logits.argmax(axis=1)] == ["middle", "ring", "ring"]


@pytest.mark.parametrize("kept", [["left", "right"], ["right", "top"], ["left", "top"]])
def test_a_genre_that_a_fold_lacks_is_never_the_likeliest(kept: list[str]) -> None:
    labels = GenreLabels.of([{genre} for genre in ["left", "right", "top"] * 4])
    genres = ["left", "right", "top"] * 4
    rows = np.flatnonzero([genre in kept for genre in genres])
    model = KernelLogistic.fit(COLUMNS, around(genres)[rows], labels.rows(rows), seed=1)
    logits = model.logits(COLUMNS, around(["left", "right", "top"], seed=3))
    (absent,) = {0, 1, 2} - {labels.genres.index(genre) for genre in kept}
    assert (logits[:, absent] < np.delete(logits, absent, axis=1).min(axis=1) - 5).all()
    for genre in kept:
        row = ["left", "right", "top"].index(genre)
        assert labels.genres[logits[row].argmax()] == genre


def test_of_a_single_genre_nothing_else_is_expected() -> None:
    labels = GenreLabels.of([{"left"}, {"right"}] * 3)
    rows = np.array([0, 2, 4])
    model = KernelLogistic.fit(COLUMNS, around(["left"] * 3), labels.rows(rows), seed=1)
    assert model.logits(COLUMNS, around(["right"])).argmax(axis=1).tolist() == [0]


def test_several_genres_have_odds_each() -> None:
    sets = [{"left", "calm"}, {"right", "calm"}, {"left"}, {"right"}] * 4
    values = np.column_stack(
        [
            [1.0 if "right" in genres else -1.0 for genres in sets],
            [1.0 if "calm" in genres else -1.0 for genres in sets],
        ]
    )
    labels = GenreLabels.of(sets)
    model = KernelLogistic.fit(COLUMNS, values, labels, seed=1)
    np.testing.assert_array_equal(model.logits(COLUMNS, values) > 0, labels.marks > 0)


def test_of_several_genres_one_that_all_have_is_sure_and_one_that_none_has_is_not() -> None:
    labels = GenreLabels.of([{"all", "odd"}, {"all"}, {"none", "odd"}] * 3)
    rows = np.array([0, 1, 3, 4, 6, 7])
    values = np.column_stack([np.arange(6) % 2, np.zeros(6)]).astype(np.float64)
    model = KernelLogistic.fit(COLUMNS, values, labels.rows(rows), seed=1)
    sure, never, odd = model.logits(COLUMNS, values).T
    assert (sure > 10).all()
    assert (never < -10).all()
    assert (odd > 0).tolist() == [True, False] * 3


def test_a_column_without_spread_counts_for_nothing() -> None:
    values = np.column_stack([around(["left", "right"] * 3)[:, 0], np.full(6, 0.1)])
    model = KernelLogistic.fit(COLUMNS, values, GenreLabels.of([{"left"}, {"right"}] * 3), seed=1)
    far = values + np.array([0.0, 1e9])
    np.testing.assert_array_equal(model.logits(COLUMNS, far), model.logits(COLUMNS, values))


def test_what_is_rebuilt_from_its_tensors_answers_the_same() -> None:
    model, _ = fitted(["left", "right", "top"] * 3)
    again = KernelLogistic.of(model.tensors())
    values = around(["top", "left"], seed=5)
    np.testing.assert_array_equal(again.logits(COLUMNS, values), model.logits(COLUMNS, values))
    with pytest.raises(KeyError):
        KernelLogistic.of({"mean": model.mean})


def test_the_same_seed_fits_the_same() -> None:
    one, two = (fitted(["left", "right"] * 4)[0].tensors() for _ in range(2))
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, two[name])
