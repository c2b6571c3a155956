from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidDataError, NotEnoughDataError
from domains.music.audio.genre_files import numbering_groups, read_clip_table

CLIPS = "filename,length,tempo,rms_var,label\na.wav,9,120,0.5,jazz\nb.wav,9,90,0.25,rock\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "features.csv").write_text(CLIPS, encoding="utf-8")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "features.csv").write_text(text, encoding="utf-8")
    return folder


# The features


def test_clips_have_names_labels_and_numbers_without_the_length_of_the_file(folder: Path) -> None:
    table = read_clip_table(folder)
    assert table.names == ("a.wav", "b.wav")
    assert table.labels.sets == (frozenset({"jazz"}), frozenset({"rock"}))
    assert table.columns.names == ("tempo", "rms_var")
    assert table.features.tolist() == [[120.0, 0.5], [90.0, 0.25]]
    assert table.splits == ("", "")


def test_without_taggrams_no_clip_is_tagged(folder: Path) -> None:
    table = read_clip_table(folder)
    assert table.tags.shape == (2, 0)
    assert table.tagged.tolist() == []


def test_splits_and_artists_are_read_where_they_are_given(folder: Path) -> None:
    text = "filename,x,label,split,artist\n001,1,jazz,train,Ann\n002,2,rock,valid,NA\n"
    table = read_clip_table(write(folder, text))
    assert table.names == ("001", "002")
    assert table.splits == ("train", "valid")
    assert table.labels.groups == ("Ann", "NA")
    assert table.artists_named


def test_one_artist_missing_and_all_are_guessed_from_the_numbering(folder: Path) -> None:
    text = "filename,x,label,artist\na.1.au,1,jazz,Ann\na.2.au,2,jazz,\na.9.au,3,rock,Bob\n"
    table = read_clip_table(write(folder, text))
    assert not table.artists_named
    assert table.labels.groups[0] == table.labels.groups[1] != table.labels.groups[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "features.csv: cannot be read"),
        ("filename,x\na,1\n", "features.csv: column label is missing. Add the column."),
        ("label,x\njazz,1\n", "features.csv: column filename is missing. Add the column."),
        ("filename,label\na,jazz\nb,rock\n", "features.csv: describes no clip by numbers"),
        ("filename,x,label\na,1,jazz\nb,quick,rock\n", "features.csv:3: column x is no finite"),
        ("filename,x,label\na,,jazz\nb,2,rock\n", "features.csv:2: column x is no finite number"),
        ("filename,x,label\na,1,jazz\nb,inf,rock\n", "features.csv:3: column x is no finite"),
        ("filename,x,label\na,1,jazz\nb,2,\n", "features.csv:3: label is empty. Fill it."),
        ("filename,x,label\na,1,jazz\nb,2\n", "features.csv:3: label is empty. Fill it."),
        ("filename,x,label\n,1,jazz\nb,2,rock\n", "features.csv:2: filename is empty. Fill it."),
        ("filename,x,label\na,1,jazz,5\nb,2,rock,5\n", "lines have more fields than the header"),
        ("filename,x,label\na,1,jazz\nb,2,rock,5\n", "features.csv: cannot be read"),
        (
            "filename,x,label\njazz/a,1,jazz\nb,2,rock\nrock/a,3,rock\n",
            "features.csv:4: a stands in line 2 too. Keep one.",
        ),
    ],
)
def test_what_is_wrong_with_the_table_is_said_with_its_line(
    text: str, said: str, folder: Path
) -> None:
    with pytest.raises(InvalidDataError) as refusal:
        read_clip_table(write(folder, text))
    assert said in str(refusal.value)


def test_a_table_in_another_encoding_is_refused(folder: Path) -> None:
    (folder / "features.csv").write_bytes("filename,x,label\na,1,française\n".encode("latin-1"))
    with pytest.raises(InvalidDataError, match=r"features\.csv: cannot be read"):
        read_clip_table(folder)


@pytest.mark.parametrize("rows", ["", "a,1,jazz\n", "a,1,jazz\nb,2,jazz\n"])
def test_fewer_than_two_genres_are_not_enough(rows: str, folder: Path) -> None:
    with pytest.raises(NotEnoughDataError, match="at least two genres"):
        read_clip_table(write(folder, "filename,x,label\n" + rows))


def test_a_folder_needs_one_table(folder: Path) -> None:
    for nothing in (folder / "nowhere", folder / "features.csv"):
        with pytest.raises(InvalidDataError, match=r"holds no CSV of features"):
            read_clip_table(nothing)
    (folder / "more.csv").write_text(CLIPS, encoding="utf-8")
    with pytest.raises(InvalidDataError, match=r"holds 2 files \*\.csv, one is wanted"):
        read_clip_table(folder)


# The taggrams


def test_a_taggram_is_the_mean_of_its_frames_and_belongs_to_the_file_of_its_name(
    folder: Path,
) -> None:
    frames = np.array([[0.2, 0.0], [0.5, 1.0], [0.4, 0.0]])
    np.savez(folder / "tags.npz", X=frames, IDS=["jazz/b.wav", "unheard.wav", "jazz\\b.wav"])
    table = read_clip_table(folder)
    np.testing.assert_allclose(table.tags, [[np.nan, np.nan], [0.3, 0.0]])
    assert table.tagged.tolist() == [1]
    assert table.columns.names == ("tempo", "rms_var", "tag 0", "tag 1")
    assert table.columns.only(tags=True).names == ("tag 0", "tag 1")


def saved(**arrays: object) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **arrays)  # type: ignore[arg-type]


def a_single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def with_noise_inside(path: Path) -> None:
    np.savez_compressed(path, X=np.random.default_rng(0).random((200, 3)), IDS=["a.wav"] * 200)
    content = bytearray(path.read_bytes())
    content[200:230] = bytes(30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"taggrams"), "cannot be read"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "cannot be read"),
        (lambda path: path.write_bytes(pickle.dumps([1.0])), "cannot be read"),
        (a_single_array, "cannot be read"),
        (with_noise_inside, "cannot be read"),
        (saved(X=np.zeros((1, 2))), "It must hold arrays X (frames, tags) and IDS"),
        (saved(X=np.array([[None]]), IDS=["a.wav"]), "cannot be read"),
        (saved(X=np.array([["loud"]]), IDS=["a.wav"]), "cannot be read"),
        (saved(X=np.zeros((2, 2)), IDS=["a.wav"]), "have a row for each of IDS"),
        (saved(X=np.zeros(2), IDS=["a.wav", "b.wav"]), "have a row for each of IDS"),
        (saved(X=np.zeros((1, 2)), IDS="a.wav"), "have a row for each of IDS"),
        (saved(X=np.full((1, 2), np.nan), IDS=["a.wav"]), "X must be finite"),
        (saved(X=np.zeros((1, 2)), IDS=["c.wav"]), "names none of the clips of the CSV"),
    ],
)
def test_taggrams_that_cannot_be_used_are_refused_by_name(
    make: Callable[[Path], None], said: str, folder: Path
) -> None:
    make(folder / "tags.npz")
    with pytest.raises(InvalidDataError, match=r"^tags\.npz: ") as refusal:
        read_clip_table(folder)
    assert said in str(refusal.value)


# Artists guessed from the numbers of files


def groups(*names: str, genres: str = "") -> list[str]:
    """The group of each, as letters in order of appearance."""
    found = numbering_groups(names, list(genres or "x" * len(names)))
    letters: dict[str, str] = {}
    return [letters.setdefault(group, "abcdefgh"[len(letters)]) for group in found]


def test_neighbouring_numbers_are_one_artist_and_one_may_be_missing() -> None:
    assert groups("b.001.au", "b.002.au", "b.004.au", "b.007.au", "b.008.au") == list("aaabb")


def test_the_order_of_the_files_does_not_matter() -> None:
    assert groups("b.7", "b.1", "b.8", "b.2") == list("abab")


def test_another_genre_or_another_stem_is_another_artist() -> None:
    assert groups("b.1", "b.2", "b.3", genres="xyx") == list("aba")
    assert groups("b.1", "c.2") == list("ab")


def test_long_runs_are_cut_in_equal_parts() -> None:
    found = numbering_groups([f"b.{number}" for number in range(30)], ["x"] * 30)
    assert [found.count(group) for group in dict.fromkeys(found)] == [10, 10, 10]


def test_a_clip_without_a_number_stands_alone() -> None:
    assert groups("one.wav", "two.wav", "b.1.wav") == list("abc")


@given(st.lists(st.tuples(st.sampled_from("xy"), st.integers(0, 99)), unique=True, max_size=40))
def test_every_clip_has_a_group_and_no_group_two_genres_or_many_clips(
    clips: list[tuple[str, int]],
) -> None:
    genres = [genre for genre, _ in clips]
    found = numbering_groups([f"b.{number:05}.au" for _, number in clips], genres)
    assert len(found) == len(clips)
    assert all(found)
    assert len(set(zip(found, genres, strict=True))) == len(set(found))
    assert max(map(found.count, found), default=0) <= 14
