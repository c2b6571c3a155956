from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from core.errors import InvalidDataError
from domains.music.audio.library import read_ids
from domains.music.audio.library.files import scan
from tests.unit.music_audio.library.conftest import Catalogue


def test_audio_files_of_all_directories_count_and_hidden_and_other_ones_do_not(
    catalogue: Catalogue,
) -> None:
    catalogue.put("b.MP3", "a/b/c.d.flac", "cover.jpg", ".hidden.ogg", ".trash/x.ogg", "a/._x.wav")
    files = scan(catalogue.audio).files
    assert [(f.track_id, f.file) for f in files] == [("a/b/c.d", "a/b/c.d.flac"), ("b", "b.MP3")]
    assert {f.size_bytes for f in files} == {5}


def test_an_id_is_the_same_however_the_file_system_spells_it(catalogue: Catalogue) -> None:
    catalogue.put(unicodedata.normalize("NFD", "Björk.ogg"))
    (file,) = scan(catalogue.audio).files
    assert file.track_id == "Björk"
    assert len(file.track_id) == 5


def test_two_files_of_one_track_are_refused_before_anything_is_heard(catalogue: Catalogue) -> None:
    catalogue.put("a/x.mp3", "a/x.ogg")
    with pytest.raises(InvalidDataError, match=r"a/x.ogg: it is track 'a/x', and so is a/x\.mp3"):
        catalogue.update()
    with pytest.raises(InvalidDataError, match=r"it is track 'one', and so is a/x\.mp3"):
        catalogue.update(ids={"a/x.mp3": "one", "a/x.ogg": "one"})
    assert catalogue.heard_now() == []
    assert catalogue.update(ids={"a/x.mp3": "one", "a/x.ogg": "two"}).heard == 2


def test_a_directory_without_audio_is_refused_as_its_disk_may_be_missing(
    catalogue: Catalogue,
) -> None:
    catalogue.put("a.ogg")
    catalogue.update()
    (catalogue.audio / "a.ogg").unlink()
    with pytest.raises(InvalidDataError, match="there are no audio files"):
        catalogue.update()
    with pytest.raises(InvalidDataError, match="there is no such directory"):
        scan(catalogue.audio / "not there")


def test_a_link_to_nowhere_is_named(catalogue: Catalogue) -> None:
    catalogue.put("a.ogg")
    (catalogue.audio / "b.ogg").symlink_to("nowhere.ogg")
    done = catalogue.update()
    assert done.heard == 1
    assert done.failed == (
        ("b.ogg", "cannot be looked at (No such file or directory): check the link."),
    )


def test_a_name_that_is_not_unicode_is_named(catalogue: Catalogue) -> None:
    catalogue.put("a.ogg", "bj\udcf6rk.ogg")
    done = catalogue.update()
    assert done.heard == 1
    assert done.failed == (("bj\\udcf6rk.ogg", "its name is not UTF-8: rename it."),)


def test_ids_are_read_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "ids.csv"
    table.write_text("\ufeffartist,file,track_id\nx,./a/b.ogg,7\ny,ö.mp3,acht\n", encoding="utf-8")
    assert read_ids(table) == {"a/b.ogg": "7", "ö.mp3": "acht"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"file,id\na.ogg,1\n", "ids.csv:2: it lacks a file or a track_id"),
        (b"file,track_id\na.ogg,\n", "ids.csv:2: it lacks a file or a track_id"),
        (b"file,track_id\na.ogg,1\na.ogg,2\n", "ids.csv:3: the file a.ogg is named a second time"),
        (b"file,track_id\n\xff\xff,1\n", "cannot be read"),
    ],
)
def test_a_table_of_ids_that_says_too_little_or_too_much_is_refused(
    content: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "ids.csv").write_bytes(content)
    with pytest.raises(InvalidDataError, match=said):
        read_ids(tmp_path / "ids.csv")
    with pytest.raises(InvalidDataError, match="cannot be read"):
        read_ids(tmp_path / "not there.csv")
