"""How a directory finds its reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InvalidDataError
from core.log import ClockKind
from core.readers import detect, read_log
from domains.music.readers import READERS


@pytest.mark.parametrize(
    ("files", "reader"),
    [
        (["train.csv", "members.csv", "songs.csv"], "kkbox"),
        (["events.csv", "users.csv"], "generic"),
        (["events.parquet"], "generic"),
        (["listens.jsonl.gz"], "listenbrainz"),
        (["listens/2023/1.listens"], "listenbrainz"),
        (["sessions.csv.gz", "FACTS.md"], "sessions"),
    ],
)
def test_files_tell_their_reader(tmp_path: Path, files: list[str], reader: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert detect(READERS, tmp_path) == reader


def test_a_directory_without_a_log_is_told_what_was_found_and_expected(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="no known log, found nothing"):
        read_log(READERS, tmp_path)
    (tmp_path / "holiday.txt").touch()
    with pytest.raises(InvalidDataError, match=r"found holiday.txt. Expected kkbox: train.csv"):
        read_log(READERS, tmp_path)


def test_files_of_two_formats_need_the_format_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("user_id,object_id,timestamp\na,x,1\n")
    (tmp_path / "sessions.csv").write_text("a,x\n")
    with pytest.raises(InvalidDataError, match="several formats: generic, sessions"):
        read_log(READERS, tmp_path)
    assert read_log(READERS, tmp_path, "generic").time_s.tolist() == [1]
    assert read_log(READERS, tmp_path, "sessions").clock is ClockKind.SESSIONS


def test_unknown_formats_and_missing_directories_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"unknown format 'xml'. Choose one of kkbox, gen"):
        read_log(READERS, tmp_path, "xml")
    with pytest.raises(InvalidDataError, match="no such directory"):
        read_log(READERS, tmp_path / "nowhere")
