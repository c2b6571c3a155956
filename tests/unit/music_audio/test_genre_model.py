from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BundleError, NotEnoughDataError
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.genre import DEMONSTRATION_BELOW, GenreModel, fit_genre_model

Features = NDArray[np.float64]


def shifted(genres: list[str], seed: int = 0) -> Features:
    """Noise, moved by three deviations in every column for the genre "high"."""
    noise = np.random.default_rng(seed).normal(size=(len(genres), len(FEATURE_NAMES)))
    high = np.array([genre == "high" for genre in genres], dtype=np.float64)
    moved: Features = noise + 3.0 * high[:, np.newaxis]
    return moved


GENRES = ["high", "low"] * 12


@pytest.fixture(scope="module")
def model() -> GenreModel:
    return fit_genre_model(shifted(GENRES), GENRES, seed=1)


def test_genres_that_differ_are_told_apart_on_recordings_never_heard(model: GenreModel) -> None:
    assert model.genres == ("high", "low")
    assert (model.report.n_tested, model.report.n_right) == (24, 24)
    unheard = shifted(["low", "high"], seed=9)
    assert model.predict_proba(unheard).argmax(axis=1).tolist() == [1, 0]


def test_genres_that_do_not_differ_are_not_told_apart() -> None:
    genres = ["a", "b"] * 20
    noise = np.random.default_rng(3).normal(size=(40, len(FEATURE_NAMES)))
    report = fit_genre_model(noise, genres, seed=1).report
    assert report.n_right < 0.75 * report.n_tested


def test_two_excerpts_of_a_recording_are_never_on_both_sides() -> None:
    # Within a recording the columns are equal; between recordings they are noise. Whoever keeps
    # one excerpt for training gets all right, whoever holds out both cannot.
    recordings = [str(i // 2) for i in range(40)]
    genres = [("a", "b")[int(recording) % 2] for recording in recordings]
    noise = np.random.default_rng(5).normal(size=(20, len(FEATURE_NAMES)))
    features = np.repeat(noise, 2, axis=0)
    leaky = fit_genre_model(features, genres, seed=1).report
    honest = fit_genre_model(features, genres, seed=1, recordings=recordings).report
    assert leaky.n_right > honest.n_right
    assert honest.n_right < 0.75 * honest.n_tested


def test_a_genre_with_one_recording_is_not_tested_and_named() -> None:
    genres = [*GENRES, "solo", "solo"]
    recordings = [*(str(i) for i in range(24)), "x", "x"]
    report = fit_genre_model(shifted(genres), genres, 1, recordings).report
    assert report.untested_genres == ("solo",)
    assert (report.n_clips, report.n_recordings, report.n_tested) == (26, 25, 24)
    assert "not tested, one recording each: solo" in report.note


def test_without_two_recordings_of_any_genre_the_note_says_untested() -> None:
    report = fit_genre_model(shifted(["high", "low"]), ["high", "low"], seed=1).report
    assert (report.n_tested, report.n_right) == (0, 0)
    assert "could not be tested" in report.note


def test_few_recordings_make_a_demonstration_and_many_do_not(model: GenreModel) -> None:
    assert model.report.demonstration
    assert model.report.note.startswith("Demonstration only: fitted on 24 labelled clips")
    genres = ["high", "low"] * DEMONSTRATION_BELOW
    assert not fit_genre_model(shifted(genres), genres, seed=1).report.demonstration


def test_probabilities_sum_to_one_row_by_row_as_in_a_batch(model: GenreModel) -> None:
    features = shifted(["low", "high", "low"], seed=4)
    together = model.predict_proba(features)
    np.testing.assert_allclose(together.sum(axis=1), 1.0)
    one_by_one = np.vstack([model.predict_proba(row[np.newaxis]) for row in features])
    np.testing.assert_array_equal(together, one_by_one)
    assert model.predict_proba(features[:0]).shape == (0, 2)


def test_the_same_seed_writes_the_same_bytes(model: GenreModel, tmp_path: Path) -> None:
    again = fit_genre_model(shifted(GENRES), GENRES, seed=1)
    for name, one in (("first", model), ("second", again)):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
    for file in ("genre.cbm", "genre.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_a_loaded_model_answers_as_the_saved_one(model: GenreModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = GenreModel.load(tmp_path)
    assert (loaded.genres, loaded.report) == (model.genres, model.report)
    features = shifted(["low", "high"], seed=2)
    np.testing.assert_array_equal(loaded.predict_proba(features), model.predict_proba(features))


def test_a_model_for_other_features_is_refused(model: GenreModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    described = json.loads((tmp_path / "genre.json").read_text(encoding="utf-8"))
    described["feature_names"].reverse()
    (tmp_path / "genre.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(BundleError, match="made for other features"):
        GenreModel.load(tmp_path)


@pytest.mark.parametrize("file", ["genre.cbm", "genre.json"])
@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_missing_or_damaged_file_is_refused(
    file: str, content: bytes | None, model: GenreModel, tmp_path: Path
) -> None:
    model.save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BundleError, match="build it again"):
        GenreModel.load(tmp_path)


def test_one_genre_is_not_enough() -> None:
    with pytest.raises(NotEnoughDataError, match="at least two genres, got 1"):
        fit_genre_model(shifted(["a", "a"]), ["a", "a"], seed=1)


def test_the_note_gives_the_figures(model: GenreModel) -> None:
    report = replace(model.report, n_right=3, n_tested=9, n_right_by_commonest=4)
    assert "right for 3 of 9 clips" in report.note
    assert "commonest genre for 4" in report.note
