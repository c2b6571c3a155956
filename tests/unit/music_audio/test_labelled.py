from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from core.errors import BundleError, InvalidDataError, NotEnoughDataError
from domains.music.audio.columns import SOUND_COLUMNS
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.genre import GenreModel
from domains.music.audio.genre_source import sound_values
from domains.music.audio.heard_tracks import HeardTracks
from domains.music.audio.labelled import (
    GENRE_DIRECTORY,
    TrackLabels,
    fit_on_library,
    labelled_tracks,
    read_labels,
)
from domains.music.audio.library import SoundLibrary
from domains.music.audio.sound import N_UNITS
from domains.music.audio.tagger import MSD_TAGS

N_TRACKS = 8
IDS = tuple(f"t{number}" for number in range(N_TRACKS))

Csv = Callable[[str], Path]


@pytest.fixture
def library() -> SoundLibrary:
    """Eight tracks, of which the odd ones are louder in every way than the even ones."""
    random = np.random.default_rng(0)
    odd = (np.arange(N_TRACKS) % 2)[:, np.newaxis]
    return SoundLibrary(
        track_ids=IDS,
        files=tuple(f"albums/{track_id}.ogg" for track_id in IDS),
        seconds=np.full(N_TRACKS, 30.0),
        features=(random.uniform(1, 2, (N_TRACKS, len(FEATURE_NAMES))) + 5 * odd).astype("f4"),
        tags=(random.uniform(0.1, 0.2, (N_TRACKS, len(MSD_TAGS))) + 0.5 * odd).astype("f4"),
        units=random.normal(size=(N_TRACKS, N_UNITS)).astype("f4"),
        previews=np.zeros((N_TRACKS, 2), np.int32),
        errors=(),
    )


@pytest.fixture
def csv(tmp_path: Path) -> Csv:
    def write(text: str) -> Path:
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


TOLD = TrackLabels(
    {track_id: frozenset({("soft", "loud")[i % 2]}) for i, track_id in enumerate(IDS)},
    {track_id: f"artist {i // 2}" for i, track_id in enumerate(IDS)},
)


# The file


def test_tracks_are_named_by_id_with_a_genre_and_an_artist(csv: Csv, library: SoundLibrary) -> None:
    told = read_labels(csv("track_id,genre,artist\nt0,jazz,Ann\nt1, rock ,\n"), library)
    assert told.genres == {"t0": {"jazz"}, "t1": {"rock"}}
    assert told.artists == {"t0": "Ann"}


@pytest.mark.parametrize("file", ["albums/t0.ogg", "./albums/t0.ogg", "albums\\t0.ogg"])
def test_tracks_are_named_by_their_file(file: str, csv: Csv, library: SoundLibrary) -> None:
    assert read_labels(csv(f"file,genre\n{file},jazz\n"), library).genres == {"t0": {"jazz"}}


def test_several_genres_are_separated_by_a_bar(csv: Csv, library: SoundLibrary) -> None:
    told = read_labels(csv("track_id,genre\nt0,jazz | rock|\nt1,rock\n"), library)
    assert told.genres == {"t0": {"jazz", "rock"}, "t1": {"rock"}}


def test_tracks_that_were_not_heard_are_left_out(csv: Csv, library: SoundLibrary) -> None:
    told = read_labels(csv("track_id,genre\nt0,jazz\nunheard,rock\n"), library)
    assert set(told.genres) == {"t0"}


FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", ["track_id", "file"])
def test_accents_may_be_spelled_in_either_way(
    form: Literal["NFC", "NFD"], key: str, csv: Csv, library: SoundLibrary
) -> None:
    # A Mac decomposes letters in names of files, a spreadsheet does not.
    accented = unicodedata.normalize("NFC", "café")
    for own in FORMS:
        kept = unicodedata.normalize(own, accented)
        heard = SoundLibrary(
            **{
                **{name: getattr(library, name)[:1] for name in library.__annotations__},
                "track_ids": (kept,),
                "files": (kept,),
            }
        )
        told = read_labels(
            csv(f"{key},genre\n{unicodedata.normalize(form, accented)},jazz\n"), heard
        )
        assert told.genres == {kept: {"jazz"}}


def test_a_mark_of_utf_8_and_other_columns_are_no_matter(csv: Csv, library: SoundLibrary) -> None:
    told = read_labels(csv("\ufefftrack_id,year,genre\nt0,1959,jazz\n"), library)
    assert told.genres == {"t0": {"jazz"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "labels.csv:1: column file is missing. Name it in the header."),
        ("name,genre\nt0,jazz\n", "labels.csv:1: column file is missing"),
        ("track_id,kind\nt0,jazz\n", "labels.csv:1: column genre is missing"),
        ("track_id,genre\nt0,jazz\n,rock\n", "labels.csv:3: track_id is empty"),
        ("track_id,genre\nt0,jazz\nt1\n", "labels.csv:3: genre is empty"),
        ("track_id,genre\nt0, | \n", "labels.csv:2: genre is empty"),
        (
            "track_id,genre\nt0,jazz\nt1,rock\nt0,rock\n",
            "labels.csv:4: t0 is labelled twice. Separate genres by |.",
        ),
        ("track_id,genre\n\nt0,jazz\nt0,jazz\n", "labels.csv:4: t0 is labelled twice"),
        ("track_id,genre\n", "labels.csv: labels 0 tracks, none of which is in the library"),
        ("file,genre\nt0.ogg,jazz\n", "labels 1 tracks, none of which is in the library. Name"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    text: str, said: str, csv: Csv, library: SoundLibrary
) -> None:
    with pytest.raises(InvalidDataError) as refusal:
        read_labels(csv(text), library)
    assert said in str(refusal.value)


def test_what_is_no_csv_is_refused(tmp_path: Path, library: SoundLibrary) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes("track_id,genre\nt0,chanson française\n".encode("latin-1"))
    for path in (latin, tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(InvalidDataError, match=r"cannot be read .* It must be a CSV in UTF-8"):
            read_labels(path, library)


# The model beside the library


def test_a_model_and_its_labels_are_kept_in_the_library(
    library: SoundLibrary, tmp_path: Path
) -> None:
    shares: list[float] = []
    model = fit_on_library(tmp_path, library, TOLD, 1, 1, shares.append)
    assert model.genres == ("loud", "soft")
    assert (model.report.n_tracks, model.report.n_groups) == (N_TRACKS, 4)
    assert model.report.n_right == model.report.n_tested == N_TRACKS
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == [GENRE_DIRECTORY]
    kept = GenreModel.load(tmp_path / GENRE_DIRECTORY, SOUND_COLUMNS)
    values = sound_values(library.features, library.tags)
    np.testing.assert_array_equal(kept.predict_proba(values), model.predict_proba(values))


def test_only_labelled_tracks_are_learnt_from(library: SoundLibrary, tmp_path: Path) -> None:
    some = {track_id: TOLD.genres[track_id] for track_id in IDS[:4]}
    model = fit_on_library(tmp_path, library, TrackLabels(some, {}), seed=1, n_threads=1)
    assert (model.report.n_tracks, model.report.n_groups) == (4, 4)


def test_a_new_model_replaces_the_old_one(library: SoundLibrary, tmp_path: Path) -> None:
    fit_on_library(tmp_path, library, TOLD, seed=1, n_threads=1)
    renamed = {
        track_id: frozenset(genre + "er" for genre in own) for track_id, own in TOLD.genres.items()
    }
    fit_on_library(tmp_path, library, TrackLabels(renamed, {}), seed=1, n_threads=1)
    kept = GenreModel.load(tmp_path / GENRE_DIRECTORY, SOUND_COLUMNS)
    assert kept.genres == ("louder", "softer")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_old_model_stays_when_a_new_one_cannot_be_fitted(
    library: SoundLibrary, tmp_path: Path
) -> None:
    fit_on_library(tmp_path, library, TOLD, seed=1, n_threads=1)
    before = contents(tmp_path / GENRE_DIRECTORY)
    one_genre = TrackLabels({"t0": frozenset({"soft"}), "t1": frozenset({"soft"})}, {})
    with pytest.raises(NotEnoughDataError, match="at least two genres"):
        fit_on_library(tmp_path, library, one_genre, seed=1, n_threads=1)
    assert contents(tmp_path / GENRE_DIRECTORY) == before


def test_the_old_model_stays_when_a_new_one_cannot_be_written(
    library: SoundLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_on_library(tmp_path, library, TOLD, seed=1, n_threads=1)
    before = contents(tmp_path / GENRE_DIRECTORY)

    def full(_: GenreModel, directory: Path) -> None:
        (directory / "genre.json").write_text("{")
        raise OSError("no space left on device")

    monkeypatch.setattr(GenreModel, "save", full)
    with pytest.raises(OSError, match="no space"):
        fit_on_library(tmp_path, library, TOLD, seed=2, n_threads=1)
    monkeypatch.undo()
    assert contents(tmp_path / GENRE_DIRECTORY) == before
    fit_on_library(tmp_path, library, TOLD, seed=1, n_threads=1)
    assert contents(tmp_path / GENRE_DIRECTORY) == before


# Tracks with what was said of them


@pytest.fixture
def opened(library: SoundLibrary, monkeypatch: pytest.MonkeyPatch) -> HeardTracks:
    """The library lies in every directory."""
    monkeypatch.setattr(SoundLibrary, "open", lambda _: library)
    return HeardTracks.of_library(library)


def test_tracks_come_with_the_labels_given_last(
    library: SoundLibrary, opened: HeardTracks, tmp_path: Path
) -> None:
    assert labelled_tracks(tmp_path).labels == (frozenset(),) * N_TRACKS
    fit_on_library(tmp_path, library, TOLD, seed=1, n_threads=1)
    tracks = labelled_tracks(tmp_path)
    assert tracks.track_ids == opened.track_ids
    assert tracks.labels == tuple(TOLD.genres.values())
    assert tracks.artists == tuple(TOLD.artists.values())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"genres": {"t0": 1}, "artists": {}}'])
@pytest.mark.usefixtures("opened")
def test_damaged_labels_are_refused_with_the_remedy(
    content: str, library: SoundLibrary, tmp_path: Path
) -> None:
    fit_on_library(tmp_path, library, TOLD, seed=1, n_threads=1)
    path = tmp_path / GENRE_DIRECTORY / "labels.json"
    assert json.loads(path.read_text(encoding="utf-8"))["genres"]["t1"] == ["loud"]
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BundleError, match=r"cannot be read .* fit the genre model again"):
        labelled_tracks(tmp_path)
