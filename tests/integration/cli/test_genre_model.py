"""`encore genre evaluate`, and what `encore genre train` and `encore train --sounds` refuse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from core.errors import EncoreError, FieldViolation, InvalidDataError, InvalidRequestError
from domains.music.audio.clips import CLIPS_DIRECTORY
from domains.music.audio.genre_evaluation import MODELS
from domains.music.audio.library import update

Encore = Callable[..., Result]
Plain = Callable[[str], str]


@contextmanager
def threads(workers: int) -> Iterator[Executor]:
    with ThreadPoolExecutor(workers) as executor:
        yield executor


def refused(result: Result) -> EncoreError:
    assert isinstance(result.exception, EncoreError), result.output
    assert result.exit_code == 1
    return result.exception


def violations(result: Result) -> tuple[FieldViolation, ...]:
    error = refused(result)
    assert isinstance(error, InvalidRequestError)
    return error.violations


# evaluate


def clips(folder: Path, seed: int) -> Path:
    """A table of 40 clips, of two artists a genre, and taggrams of most of them."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    lines, names, frames = ["filename,length,tempo,rms_var,label,artist"], [], []
    for clip in range(40):
        rock = clip % 2
        name = f"{seed}.{clip}.wav"
        tempo, variance = random.normal(90 + 60 * rock, 10), random.uniform(0.1, 0.2)
        genre, artist = ("jazz", "rock")[rock], f"artist {seed} {clip % 4}"
        lines.append(f"{name},9,{tempo},{variance},{genre},{artist}")
        if clip < 32:
            names += [name, name]
            frames += [[0.1 + 0.7 * rock, 0.8 - 0.7 * rock, noise] for noise in random.random(2)]
    (folder / "features.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    np.savez(folder / "taggrams.npz", X=np.array(frames), IDS=np.array(names))
    return folder


def test_clips_are_judged_by_folds_in_json_and_as_a_picture(encore: Encore, tmp_path: Path) -> None:
    learn, picture = clips(tmp_path / "learn", 1), tmp_path / "confusion.png"
    options = ("--features", learn, "--repeats", 1, "--picture", picture, "--json")
    result = encore("genre", "evaluate", *options)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["genres"] == ["jazz", "rock"]
    assert [judged["columns"] for judged in report["sets"]] == ["columns", "taggrams", "both"]
    assert [judged["n_judged"] for judged in report["sets"]] == [40, 32, 32]
    for judged in report["sets"]:
        assert "1 times 4 folds that keep artist together" in judged["how"]
        for model in judged["models"]:
            assert model["accuracy_low"] <= model["accuracy"] <= model["accuracy_high"]
            assert model["accuracy"] > 0.9
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_clips_of_another_folder_are_judged_in_a_table(
    encore: Encore, plain: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.cli.output.stdout._width", 200)
    learn, test = clips(tmp_path / "learn", 1), clips(tmp_path / "test", 2)
    result = encore("genre", "evaluate", "--features", learn, "--test", test)
    assert result.exit_code == 0, result.output
    said = plain(result.stdout)
    assert "columns (2 columns): fitted on all clips of the first folder" in said
    assert "40 clips to learn from, 40 judged" in said
    for title in MODELS.values():
        assert said.count(title) == 3
    assert "confusion matrices" not in said


def test_folders_that_cannot_be_judged_are_refused(encore: Encore, tmp_path: Path) -> None:
    learn, test = clips(tmp_path / "learn", 1), clips(tmp_path / "test", 2)
    nowhere = tmp_path / "nowhere"
    for options in (("--features", nowhere), ("--features", learn, "--test", nowhere)):
        error = refused(encore("genre", "evaluate", *options))
        assert isinstance(error, InvalidDataError)
        assert f"{nowhere}: holds no CSV of features" in str(error)
    table = test / "features.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("tempo", "beat"), encoding="utf-8")
    error = refused(encore("genre", "evaluate", "--features", learn, "--test", test))
    assert "by other columns (beat, tempo)" in str(error)


def test_a_picture_needs_a_directory_before_anything_is_fitted(
    encore: Encore, tmp_path: Path
) -> None:
    picture = tmp_path / "nowhere" / "confusion.png"
    (violation,) = violations(
        encore("genre", "evaluate", "--features", tmp_path, "--picture", picture)
    )
    assert violation.field == "--picture"
    assert f"there is no directory {picture.parent}: create it" in violation.description


# train


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    directory = tmp_path / "audio"
    directory.mkdir()
    shutil.copy2(CLIPS_DIRECTORY / "jazz_trumpet_0.ogg", directory)
    return directory


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of one track, heard in this process."""
    audio = tmp_path_factory.mktemp("audio")
    shutil.copy2(CLIPS_DIRECTORY / "jazz_trumpet_0.ogg", audio)
    library = tmp_path_factory.mktemp("library")
    update(audio, library, pool=threads)
    return library


def test_labels_that_are_not_there_are_refused_before_anything_is_heard(
    encore: Encore, audio: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    options = ("--audio", audio, "--labels", tmp_path / "nowhere.csv", "--out", library)
    (violation,) = violations(encore("genre", "train", *options))
    assert violation.field == "--labels"
    assert "nowhere.csv: name the CSV of labels" in violation.description
    assert not library.exists()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("track_id,genre\njazz_trumpet_0,jazz\n", "at least two genres, got 1: label more"),
        ("track_id,genre\njazz_trumpet_0,jazz|blues\n", "all sound the same: label other ones"),
        ("track_id,genre\ntrumpet,jazz\n", "none of which is in the library"),
        ("track_id\njazz_trumpet_0\n", "labels.csv:1: column genre is missing"),
    ],
)
def test_what_was_heard_is_kept_when_the_labels_are_refused(
    labels: str, said: str, encore: Encore, heard: Path, audio: Path, tmp_path: Path
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(labels, encoding="utf-8")
    result = encore("genre", "train", "--audio", audio, "--labels", path, "--out", heard)
    assert said in str(refused(result))
    assert not (heard / "genre").exists()
    again = json.loads(encore("genre", "index", "--audio", audio, "--out", heard, "--json").stdout)
    assert (again["tracks"], again["heard"]) == (1, 0)


# a bundle


def test_a_domain_without_sound_takes_no_sounds(encore: Encore, data: Path, tmp_path: Path) -> None:
    options = ("--data", data, "--bundles", tmp_path / "bundles", "--sounds", tmp_path)
    (violation,) = violations(encore("train", "shopping", *options))
    assert violation.field == "--sounds"
    assert "objects of shopping have no sound: leave it out" in violation.description
    assert not (tmp_path / "bundles").exists()


def test_sounds_that_are_no_library_are_refused_before_the_log_is_read(
    encore: Encore, tmp_path: Path
) -> None:
    options = ("--data", tmp_path / "no log", "--bundles", tmp_path / "bundles")
    error = refused(encore("train", "music", *options, "--sounds", tmp_path))
    assert isinstance(error, InvalidDataError)
    assert "there is no sound library in it" in str(error)
    assert "encore genre index" in str(error)
