from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import NotEnoughDataError
from domains.music.audio.columns import Columns
from domains.music.audio.genre_evaluation import MODELS, evaluate_genres
from domains.music.audio.genre_files import ClipTable
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.genre_plot import plot_confusion

GENRES = ("folk", "jazz", "rock")
N_ARTISTS = 5
"""Of each genre, so that each fold has one."""
N_CLIPS = 4
"""Of each artist."""


def table(
    seed: int,
    *,
    spread: float = 0.3,
    tagged: bool = False,
    splits: bool = False,
    genres: tuple[str, ...] = GENRES,
    names: tuple[str, ...] = ("pitch", "pulse"),
) -> ClipTable:
    """Sixty clips; a genre's columns are its own, but for the spread of an artist and a clip."""
    random = np.random.default_rng(seed)
    n = len(genres) * N_ARTISTS * N_CLIPS
    places = np.repeat([GENRES.index(genre) for genre in genres], N_ARTISTS * N_CLIPS)
    artists = np.repeat(np.arange(len(genres) * N_ARTISTS), N_CLIPS)
    centres = np.array([[0.0, 1.0], [2.0, 0.0], [4.0, 1.0]])[places]
    of_artists = random.normal(scale=spread, size=(len(genres) * N_ARTISTS, 2))[artists]
    features = centres + of_artists + random.normal(scale=0.1, size=(n, 2))
    tags = np.full((n, 3), np.nan) if tagged else np.empty((n, 0))
    if tagged:  # the last artist of each genre has no taggrams
        has = np.flatnonzero(artists % N_ARTISTS != N_ARTISTS - 1)
        tags[has] = 0.1 + 0.7 * np.eye(3)[places[has]] + random.uniform(0, 0.1, (len(has), 3))
    return ClipTable(
        tuple(f"{seed}.{clip}.wav" for clip in range(n)),
        GenreLabels.of([{GENRES[place]} for place in places], [f"{seed} {a}" for a in artists]),
        tuple("valid" if splits and a % N_ARTISTS == 0 else "train" for a in artists),
        Columns.of(names, map(str, range(tags.shape[1]))),
        features,
        tags,
        artists_named=True,
    )


def evaluated(learn: ClipTable, test: ClipTable | None = None, repeats: int = 1) -> dict[str, Any]:
    return evaluate_genres(learn, test, seed=0, repeats=repeats, n_threads=1)


def sets_of(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {judged["columns"]: judged for judged in report["sets"]}


def check(judged: Mapping[str, Any]) -> None:
    """What holds for every set of columns, whatever was judged."""
    assert [model["name"] for model in judged["models"]] == list(MODELS)
    for model in judged["models"]:
        for figure in ("accuracy", "macro_f1"):
            low, middle, high = (model[figure + end] for end in ("_low", "", "_high"))
            assert 0 <= low <= middle <= high <= 1
        confusion = np.array(model["confusion"])
        assert confusion.sum() == pytest.approx(judged["n_judged"])
        assert np.trace(confusion) / confusion.sum() == pytest.approx(model["accuracy"])
        assert 0 <= model["calibration_error"] <= 1
        assert model["log_loss"] >= 0


@pytest.fixture(scope="module")
def by_folds() -> dict[str, Any]:
    return evaluated(table(1, tagged=True))


def test_without_other_clips_folds_judge_each_set_of_columns(by_folds: dict[str, Any]) -> None:
    assert by_folds["genres"] == list(GENRES)
    sets = sets_of(by_folds)
    assert [(name, judged["n_columns"]) for name, judged in sets.items()] == [
        ("columns", 2),
        ("taggrams", 3),
        ("both", 5),
    ]
    for judged in sets.values():
        check(judged)
        assert judged["how"] == "1 times 5 folds that keep artist together"
        assert judged["n_fitted"] == judged["n_judged"]
    # Taggrams, and so both, are judged on the clips that have one.
    assert [judged["n_judged"] for judged in sets.values()] == [60, 48, 48]


def test_columns_that_separate_genres_are_right_nearly_always(by_folds: dict[str, Any]) -> None:
    for judged in by_folds["sets"]:
        pooled = judged["models"][-1]
        assert pooled["name"] == "pooled"
        assert pooled["accuracy"] > 0.9
        assert pooled["log_loss"] < 0.4


def test_clips_of_a_split_are_judged_after_learning_from_the_other() -> None:
    (judged,) = evaluated(table(1, splits=True))["sets"]
    check(judged)
    assert judged["how"] == "fitted on the clips of split train, judged on those of split valid"
    assert (judged["n_fitted"], judged["n_judged"]) == (48, 12)


def test_other_clips_are_judged_after_learning_from_all() -> None:
    report = evaluated(table(1, tagged=True, splits=True), table(2, tagged=True))
    for judged, n_clips in zip(report["sets"], (60, 48, 48), strict=True):
        check(judged)
        assert judged["how"] == "fitted on all clips of the first folder, judged on the second"
        assert (judged["n_fitted"], judged["n_judged"]) == (n_clips, n_clips)


@pytest.mark.parametrize(("learn", "judge"), [(True, False), (False, True)])
def test_taggrams_on_one_side_alone_are_not_judged(learn: bool, judge: bool) -> None:
    names = {"names": ("pitch", "pulse")}
    report = evaluated(table(1, tagged=learn, **names), table(2, tagged=judge, **names))  # type: ignore[arg-type]
    assert list(sets_of(report)) == ["columns"]


def test_other_clips_may_lack_a_genre() -> None:
    report = evaluated(table(1), table(2, genres=("folk", "rock")))
    assert report["genres"] == list(GENRES)
    (judged,) = report["sets"]
    confusion = np.array(judged["models"][-1]["confusion"])
    assert confusion.shape == (3, 3)
    assert confusion.sum(axis=1).tolist() == [20, 0, 20]


def test_clips_that_were_learnt_from_are_not_judged() -> None:
    learn, other = (table(seed, genres=("folk", "rock")) for seed in (1, 2))
    names = (*learn.names[:3], *other.names[3:])
    (judged,) = evaluated(learn, replace(other, names=names))["sets"]
    assert (judged["n_fitted"], judged["n_judged"]) == (40, 37)
    with pytest.raises(NotEnoughDataError, match="in the first too: judge on others"):
        evaluated(learn, learn)


def test_other_clips_of_a_genre_never_learnt_or_other_columns_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="nothing to learn jazz from"):
        evaluated(table(1, genres=("folk", "rock")), table(2))
    with pytest.raises(NotEnoughDataError, match=r"by other columns \(beat, pulse\)"):
        evaluated(table(1), table(2, names=("pitch", "beat")))


def test_artists_who_are_unlike_each_other_are_not_known_from_their_other_clips() -> None:
    # Columns are an artist's own and tell nothing of the genre: leaky folds would be nearly right.
    (judged,) = evaluated(table(3, spread=30.0))["sets"]
    assert judged["models"][-1]["accuracy"] < 0.65


def test_the_same_seed_gives_the_same_report_and_progress_reaches_the_end() -> None:
    few, other = (table(seed, genres=("folk", "rock")) for seed in (1, 2))
    seen: list[tuple[str, float]] = []
    one, two = (
        evaluate_genres(
            few,
            other,
            seed=3,
            repeats=1,
            n_threads=1,
            progress=lambda what, done: seen.append((what, done)),
        )
        for _ in range(2)
    )
    assert one == two
    shares = [done for _, done in seen[: len(seen) // 2]]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert {what for what, _ in seen} == {"genre from columns"}


def test_folds_dealt_anew_are_averaged() -> None:
    report = evaluated(table(1, genres=("folk", "rock")), repeats=2)
    (judged,) = report["sets"]
    check(judged)
    assert judged["how"].startswith("2 times 5 folds")
    assert judged["n_judged"] == 40


def pixels(path: Path) -> NDArray[np.uint8]:
    from PIL import Image  # noqa: PLC0415

    with Image.open(path) as picture:
        return np.asarray(picture)


def test_a_picture_has_a_matrix_for_each_set_of_columns(
    by_folds: dict[str, Any], tmp_path: Path
) -> None:
    plot_confusion(by_folds, tmp_path / "three.png")
    plot_confusion({**by_folds, "sets": by_folds["sets"][:1]}, tmp_path / "one.png")
    three, one = pixels(tmp_path / "three.png"), pixels(tmp_path / "one.png")
    assert three.shape[0] == one.shape[0]
    assert three.shape[1] == pytest.approx(3 * one.shape[1], abs=3)
