"""Session lines: clock, warm-up, label, split and row ids."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidDataError
from core.log import UNKNOWN_LABEL, ClockKind, EventLog
from domains.music.readers import sessions


def read(directory: Path, lines: list[str]) -> EventLog:
    (directory / "sessions.csv").write_text("".join(f"{line}\n" for line in lines))
    return sessions.read(directory)


def by_row(log: EventLog, name: str) -> np.ndarray:
    return np.asarray(getattr(log, name))[np.argsort(log.row_id)]


def user_of(name: str, heard: dict[int, str], count: int) -> list[str]:
    """One track of its own a session, and the tracks that are given by session index."""
    return [f"{name},{heard.get(i, f'{name}{i}')}" for i in range(count)]


def test_events_are_ordered_by_the_share_of_the_users_sessions_gone_by(tmp_path: Path) -> None:
    log = read(tmp_path, ["a,p,q", "a,r", "b,s,t", "b,u", "b,v", "b,w"])
    # a: p 0, q 1/4, r 1/2; b: s 0, t 1/8, u 1/4, v 1/2, w 3/4; ties by row.
    assert [log.objects.ids[i] for i in log.object_index] == list("pstqurvw")
    assert log.row_id.tolist() == [0, 3, 4, 1, 5, 2, 6, 7]
    assert log.tie_group.tolist() == list(range(8))


def test_the_average_users_session_lasts_a_day_and_each_user_has_a_clock_of_its_own(
    tmp_path: Path,
) -> None:
    log = read(tmp_path, ["a,p,q", "a,r", "b,s,t", "b,u", "b,v", "b,w"])
    assert np.diff(log.time_s).tolist() == [3 * 86400 / 8] * 7
    to_the_end = (sessions.END_S - by_row(log, "user_time_s")) / 86400
    assert to_the_end.tolist() == [2, 1.5, 1, 4, 3.5, 3, 2, 1]
    assert sessions.END_S - log.time_s[-1] == 3 * 86400 / 8
    assert log.clock is ClockKind.SESSIONS


def test_examples_are_first_listens_with_ten_sessions_before_and_ten_to_come(
    tmp_path: Path,
) -> None:
    log = read(tmp_path, user_of("a", {3: "x", 12: "x", 13: "y", 14: "y"}, 25))
    expected = [10 <= i <= 14 and i not in (12, 14) for i in range(25)]
    assert by_row(log, "is_example").tolist() == expected
    # First listens of the warm-up have labels for the statistics; the last ten never get theirs.
    known = [i <= 14 and i not in (12, 14) for i in range(25)]
    assert (by_row(log, "labels") != UNKNOWN_LABEL).tolist() == known


def test_the_label_looks_at_the_next_ten_sessions_and_not_at_the_same_one(tmp_path: Path) -> None:
    heard = {10: "x", 20: "x", 11: "y", 22: "y", 12: "z,z", 13: "w,v,w", 14: "w"}
    log = read(tmp_path, user_of("a", heard, 25))
    labels = {
        log.objects.ids[log.object_index[row]]: int(log.labels[row])
        for row in np.flatnonzero(log.is_example)
    }
    assert labels == {"x": 1, "y": 0, "z": 0, "w": 1, "v": 0}


def test_positions_and_maturity_are_shares_of_the_users_eligible_sessions(tmp_path: Path) -> None:
    log = read(tmp_path, user_of("a", {}, 25))
    position, matures = by_row(log, "position"), by_row(log, "matures_position")
    assert position[10:15].tolist() == [0, 0.2, 0.4, 0.6, 0.8]
    assert matures[10:15].tolist() == [11 / 5, 12 / 5, 13 / 5, 14 / 5, 15 / 5]
    assert np.isnan(position[[9, 15]]).all()


def test_a_label_matures_when_its_ten_sessions_have_passed(tmp_path: Path) -> None:
    log = read(tmp_path, user_of("a", {}, 25) + user_of("b", {}, 50))
    time_s, matures = by_row(log, "time_s"), by_row(log, "matures_at_s")
    assert matures[10] == time_s[21]
    # Session 25 + 13 of b begins at the share that 24 of a has not reached yet.
    assert matures[25 + 13] == time_s[12]
    assert matures[14] == sessions.END_S
    # The label of a's last session waits for ten more, a day each.
    assert matures[24] == sessions.END_S + 10 * 86400
    assert (by_row(log, "labels")[15:25] == UNKNOWN_LABEL).all()


def test_gzip_and_plain_files_are_the_same_log(tmp_path: Path) -> None:
    lines = user_of("a", {}, 22)
    one = read(tmp_path, lines)
    (tmp_path / "sessions.csv").unlink()
    (tmp_path / "sessions.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    other = sessions.read(tmp_path)
    assert np.array_equal(one.time_s, other.time_s)
    assert one.objects.ids == other.objects.ids


@pytest.mark.parametrize(
    ("content", "where", "problem"),
    [
        (b"", "sessions.csv", "empty"),
        (b"a,x\na\n", "sessions.csv:2", "no track"),
        (b"a,x\n\n", "sessions.csv:2", "no track"),
        (b"a,x\n,y\n", "sessions.csv:2", "the user is empty"),
        (b"a,x\na,y,,z\n", "sessions.csv:2", "track 2 is empty"),
        (b"a,x\na,\xff\n", "sessions.csv:2", "not UTF-8"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, content: bytes, where: str, problem: str) -> None:
    (tmp_path / "sessions.csv").write_bytes(content)
    with pytest.raises(InvalidDataError) as caught:
        sessions.read(tmp_path)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_half_a_gzip_file_is_refused(tmp_path: Path) -> None:
    raw = gzip.compress("\n".join(user_of("a", {}, 2000)).encode())
    (tmp_path / "sessions.csv.gz").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InvalidDataError, match="damaged or cut"):
        sessions.read(tmp_path)
