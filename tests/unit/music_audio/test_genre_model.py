from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BundleError, NotEnoughDataError
from domains.music.audio.columns import Columns
from domains.music.audio.genre import GenreModel, fit_genre_model
from domains.music.audio.genre_labels import GenreLabels

COLUMNS = Columns.of(["pitch", "pulse", "rms_var"], ["calm"])
FILES = [
    "genre.cbm",
    "genre.json",
    "genre_discriminant.safetensors",
    "genre_kernel.safetensors",
]

Values = NDArray[np.float64]


def shifted(genres: Sequence[str], seed: int = 0) -> Values:
    """Noise, and a higher pitch and pulse for the genre "high"."""
    random = np.random.default_rng(seed)
    high = np.array([genre == "high" for genre in genres], dtype=np.float64)
    noise = random.normal(size=(len(genres), 2))
    positive = random.uniform(0.2, 0.8, size=(len(genres), 2))
    return np.hstack([noise + 6.0 * high[:, np.newaxis], positive])


def labelled(genres: Sequence[str], groups: Sequence[object] | None = None) -> GenreLabels:
    return GenreLabels.of(
        [{genre} for genre in genres], None if groups is None else list(map(str, groups))
    )


GENRES = ["high", "low"] * 8
LABELS = labelled(GENRES, [i // 4 for i in range(16)])


@pytest.fixture(scope="module")
def model() -> GenreModel:
    return fit_genre_model(COLUMNS, shifted(GENRES), LABELS, seed=1)


def test_genres_that_differ_are_told_apart_on_groups_never_heard(model: GenreModel) -> None:
    assert model.genres == ("high", "low")
    assert (model.report.n_tested, model.report.n_right) == (16, 16)
    unheard = shifted(["low", "high"], seed=9)
    assert model.predict_proba(unheard).argmax(axis=1).tolist() == [1, 0]


def test_genres_that_do_not_differ_are_not_told_apart_and_nothing_else_is_claimed() -> None:
    noise = np.random.default_rng(3).normal(size=(40, 4))
    labels = labelled(["a", "b"] * 20, [i // 4 for i in range(40)])
    model = fit_genre_model(COLUMNS, noise, labels, seed=1)
    assert model.report.n_right < 0.75 * model.report.n_tested
    # Neither half can tell, so pooling flattens what they say.
    assert sum(model.pooling.weights) < 0.5
    assert model.predict_proba(np.random.default_rng(4).normal(size=(20, 4))).max() < 0.8


def test_two_excerpts_of_a_recording_are_never_on_both_sides() -> None:
    # Within a recording the columns are equal; between recordings they are noise. Whoever keeps
    # one excerpt to learn from gets all right, whoever holds out both cannot.
    recordings = [i // 2 for i in range(24)]
    genres = ["ab"[recording % 2] for recording in recordings]
    values = np.repeat(np.random.default_rng(5).normal(size=(12, 4)), 2, axis=0)
    leaky = fit_genre_model(COLUMNS, values, labelled(genres), seed=1).report
    honest = fit_genre_model(COLUMNS, values, labelled(genres, recordings), seed=1).report
    assert leaky.n_right > honest.n_right
    assert honest.n_right < 0.75 * honest.n_tested


def test_a_genre_of_one_group_is_not_tested_and_named(capfd: pytest.CaptureFixture[str]) -> None:
    genres = [*GENRES, "solo", "solo"]
    labels = labelled(genres, [*(i // 4 for i in range(16)), "x", "x"])
    report = fit_genre_model(COLUMNS, shifted(genres), labels, seed=1).report
    assert report.untested_genres == ("solo",)
    assert (report.n_tracks, report.n_groups, report.n_tested) == (18, 5, 16)
    assert "not tested, one artist or recording each: solo" in report.note
    assert capfd.readouterr() == ("", "")


def test_without_two_groups_of_any_genre_the_note_says_untested() -> None:
    genres = ["high", "low"]
    model = fit_genre_model(COLUMNS, shifted(genres), labelled(genres), seed=1)
    assert (model.report.n_tested, model.report.n_right) == (0, 0)
    assert "could not be tested" in model.note
    assert model.predict_proba(shifted(genres)).shape == (2, 2)


def test_tracks_that_sound_the_same_are_not_enough() -> None:
    genres = ["high", "low"] * 3
    with pytest.raises(NotEnoughDataError, match="all sound the same: label other ones too"):
        fit_genre_model(COLUMNS, np.ones((6, 4)), labelled(genres), seed=1)


def test_a_fold_that_leaves_one_track_is_not_judged() -> None:
    labels = GenreLabels.of([{"high", "low"}, {"high"}])
    model = fit_genre_model(COLUMNS, shifted(["high", "low"]), labels, seed=1)
    assert model.report.n_tested == 0


def test_a_track_may_have_several_genres_and_one_does_not_exclude_another() -> None:
    sets = [{"high"}, {"low"}, {"high", "loud"}, {"low", "loud"}] * 4
    values = shifted(["high" if "high" in genres else "low" for genres in sets])
    values[:, 3] = [0.9 if "loud" in genres else 0.1 for genres in sets]
    labels = GenreLabels.of(sets, [str(i // 4) for i in range(16)])
    model = fit_genre_model(COLUMNS, values, labels, seed=1)
    assert model.several
    assert model.genres == ("high", "loud", "low")
    assert model.report.macro_f1 == 1.0
    np.testing.assert_array_equal(model.predict_proba(values) > 0.5, labels.marks > 0)
    assert (model.predict_proba(values).sum(axis=1)[2:4] > 1.5).all()


def test_probabilities_sum_to_one_row_by_row_as_in_a_batch(model: GenreModel) -> None:
    values = shifted(["low", "high", "low"], seed=4)
    together = model.predict_proba(values)
    np.testing.assert_allclose(together.sum(axis=1), 1.0)
    one_by_one = np.vstack([model.predict_proba(row[np.newaxis]) for row in values])
    np.testing.assert_allclose(together, one_by_one, rtol=1e-12)
    assert model.predict_proba(values[:0]).shape == (0, 2)


def test_progress_rises_to_the_end() -> None:
    shares: list[float] = []
    genres = ["high", "low"] * 2
    values = shifted(genres)
    fit_genre_model(COLUMNS, values, labelled(genres, "aabb"), seed=1, progress=shares.append)
    assert shares == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_the_same_seed_writes_the_same_bytes(model: GenreModel, tmp_path: Path) -> None:
    again = fit_genre_model(COLUMNS, shifted(GENRES), LABELS, seed=1)
    for name, one in (("first", model), ("second", again)):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == FILES
    for file in FILES:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_a_loaded_model_answers_as_the_saved_one(model: GenreModel, tmp_path: Path) -> None:
    assert not GenreModel.lies_in(tmp_path)
    model.save(tmp_path)
    assert GenreModel.lies_in(tmp_path)
    loaded = GenreModel.load(tmp_path, COLUMNS)
    assert (loaded.genres, loaded.report, loaded.note) == (model.genres, model.report, model.note)
    values = shifted(["low", "high"], seed=2)
    np.testing.assert_array_equal(loaded.predict_proba(values), model.predict_proba(values))


def test_a_model_for_other_columns_is_refused(model: GenreModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    others = Columns.of(["pulse", "pitch", "rms_var"], ["calm"])
    with pytest.raises(BundleError, match=r"made for other features .* build it again"):
        GenreModel.load(tmp_path, others)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("content", [None, b"", b"damaged", b"[]"])
def test_a_missing_or_damaged_file_is_refused(
    file: str, content: bytes | None, model: GenreModel, tmp_path: Path
) -> None:
    model.save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BundleError, match="build it again"):
        GenreModel.load(tmp_path, COLUMNS)


@pytest.mark.parametrize("field", ["genres", "several", "columns", "pooling", "report"])
def test_a_description_that_lacks_something_is_refused(
    field: str, model: GenreModel, tmp_path: Path
) -> None:
    model.save(tmp_path)
    described = json.loads((tmp_path / "genre.json").read_text(encoding="utf-8"))
    del described[field]
    (tmp_path / "genre.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(BundleError, match="build it again"):
        GenreModel.load(tmp_path, COLUMNS)


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_another_model_is_refused(file: str, model: GenreModel, tmp_path: Path) -> None:
    genres = ["high", "low", "third"] * 2
    other = fit_genre_model(COLUMNS, shifted(genres), labelled(genres, "aaabbb"), seed=1)
    for name, one in (("one", model), ("other", other)):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
    shutil.copy(tmp_path / "other" / file, tmp_path / "one")
    with pytest.raises(BundleError, match="build it again"):
        GenreModel.load(tmp_path / "one", COLUMNS)
