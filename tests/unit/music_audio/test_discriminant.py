from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from domains.music.audio.columns import Columns
from domains.music.audio.discriminant import Discriminant
from domains.music.audio.genre_labels import GenreLabels

COLUMNS = Columns.of(["across", "along"])
MIDDLES = {"left": (-2.0, 0.0), "right": (2.0, 0.0), "above": (0.0, 4.0)}


def around(genres: list[str], seed: int = 0) -> NDArray[np.float64]:
    """Sounds scattered about the middle of their genre, far wider along than across."""
    random = np.random.default_rng(seed)
    return np.array([MIDDLES[genre] for genre in genres]) + random.normal(
        0.0, [0.5, 1.5], (len(genres), 2)
    )


def test_genres_with_one_covariance_are_told_apart_as_the_truth_would() -> None:
    genres = ["left", "right"] * 2_000
    labels = GenreLabels.of([{genre} for genre in genres])
    model = Discriminant.fit(COLUMNS, around(genres), labels)
    logits = model.logits(COLUMNS, np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 3.0]]))
    # Two normal distributions 4 apart with a deviation of 0.5: 16 of log-odds for each step of 1.
    odds = logits[:, 1] - logits[:, 0]
    assert odds == pytest.approx([0.0, 8.0, 8.0], abs=0.8)


def test_a_genre_that_none_of_the_tracks_has_is_the_last() -> None:
    genres = ["left", "right", "above"] * 10
    labels = GenreLabels.of([{genre} for genre in genres])
    rows = np.array([row for row, genre in enumerate(genres) if genre != "above"])
    model = Discriminant.fit(COLUMNS, around(genres)[rows], labels.rows(rows))
    assert model.logits(COLUMNS, np.array([[0.0, 4.0]])).argmin() == labels.genres.index("above")


def test_where_genres_go_together_each_is_told_by_itself() -> None:
    genres = ["left", "right"] * 200
    labels = GenreLabels.of([{genre, "music"} for genre in genres])
    model = Discriminant.fit(COLUMNS, around(genres), labels)
    (left, music, right) = model.logits(COLUMNS, np.array([[-2.0, 0.0]]))[0]
    assert music > 10 > 0 > right
    assert left > 0


def test_with_tags_only_tags_are_seen() -> None:
    columns = Columns.of(["loudness"], ["rock", "jazz"])
    tags = np.array([[0.8, 0.1], [0.1, 0.8]] * 5)
    values = np.column_stack([np.arange(10.0), tags])
    labels = GenreLabels.of([{"rock"}, {"jazz"}] * 5)
    model = Discriminant.fit(columns, values, labels)
    louder = values + np.array([100.0, 0.0, 0.0])
    np.testing.assert_array_equal(model.logits(columns, values), model.logits(columns, louder))


def test_equal_sounds_and_a_single_track_a_genre_are_no_obstacle() -> None:
    labels = GenreLabels.of([{"a"}, {"b"}])
    for values in (np.zeros((2, 2)), np.array([[0.0, 1.0], [1.0, 0.0]])):
        assert np.isfinite(Discriminant.fit(COLUMNS, values, labels).logits(COLUMNS, values)).all()


def test_what_was_stored_answers_alike() -> None:
    genres = ["left", "right", "above"] * 10
    model = Discriminant.fit(COLUMNS, around(genres), GenreLabels.of([{g} for g in genres]))
    again = Discriminant.of(model.tensors())
    values = around(genres, seed=1)
    np.testing.assert_array_equal(again.logits(COLUMNS, values), model.logits(COLUMNS, values))
    with pytest.raises(KeyError):
        Discriminant.of({"mean": model.mean})
