"""Listening sessions without a clock: one session a line, `user,track,track,...`."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidDataError
from core.log import UNKNOWN_LABEL, ClockKind, EventLog, LabelRule, TieRule, build_log
from domains.music.schema import SCHEMA

HORIZON = 10
"""Sessions after an example in which hearing the track again counts."""
WARM_UP = 10
"""Sessions of a user before the first example."""
SESSION_S = 86400.0
"""A session counts as a day."""
END_S = 1_400_000_000.0
"""Where all clocks end, no real moment: of the size of epoch seconds, so that a server that goes on
from here adds and takes away its offset without rounding."""
LABEL_RULE = LabelRule(horizon_s=HORIZON * SESSION_S, inner_by_user=True)
"""No inner gap: users have some 27 sessions of which a label needs 10, and a gap of 10 between all
blocks would leave some sixty rows to fit on."""
FILES = ("sessions.csv", "sessions.csv.gz")


@dataclass(frozen=True)
class Sessions:
    """The file's events, in file order.

    Attributes:
        user, track: (n,) codes into `users` and `tracks`.
        session: (n,) int64, index of the session within its user.
        within: (n,) float64 in [0, 1): position in the session ÷ session length.
        count: (n,) int64, the user's number of sessions.
    """

    users: list[str]
    tracks: list[str]
    user: NDArray[np.int64]
    track: NDArray[np.int64]
    session: NDArray[np.int64]
    within: NDArray[np.float64]
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)


def matches(directory: Path) -> bool:
    """Whether the directory holds a file of sessions."""
    return any((directory / name).is_file() for name in FILES)


def read(directory: Path, /) -> EventLog:
    """The log of `sessions.csv` or `sessions.csv.gz`, without header.

    A user's sessions stand in time order; across users there is no clock. Events are ordered by
    t = (session index + position ÷ session length) ÷ the user's number of sessions, ties by file
    order, and every event is its own tie group. `row_id` is the event's place in the file.

    - `time_s` is the rank in that order, spaced so that a session of the average user lasts one
      day; `user_time_s` counts the user's own sessions, a day each. Both end at `END_S`.
    - Examples are the first listen of a (user, track), at least 10 sessions into the user's
      history and with 10 more to come; the label says whether one of those 10 has the track
      again. Repeats within the session count for nothing. It matures when the 10 have passed.
      First listens of the warm-up have such labels too: they are in the statistics, no examples.
    - The split is by user: position = (session index - 10) ÷ (sessions - 20).

    Raises:
        InvalidDataError: naming the line at fault.
    """
    path = _path(directory)
    sessions = _parse(path)
    t = (sessions.session + sessions.within) / sessions.count
    order = np.argsort(t, kind="stable")
    n = len(sessions)
    sessions_a_user = len(np.unique(sessions.user * n + sessions.session)) / len(sessions.users)
    step_s = SESSION_S * sessions_a_user / n
    time_s = np.empty(n)
    time_s[order] = END_S - (n - np.arange(n)) * step_s
    first, label = _first_listens(sessions)
    passed = sessions.session + HORIZON + 1
    matures = END_S - (n - np.searchsorted(t[order], passed / sessions.count)) * step_s
    to_come = passed - sessions.count  # sessions after the file that the label waits for
    is_known = to_come <= 0
    is_example = first & is_known & (sessions.session >= WARM_UP)
    eligible = np.maximum(sessions.count - WARM_UP - HORIZON, 1)
    events = pd.DataFrame(
        {
            "user_id": pd.Categorical.from_codes(
                sessions.user, categories=pd.Index(sessions.users)
            ),
            "object_id": pd.Categorical.from_codes(
                sessions.track, categories=pd.Index(sessions.tracks)
            ),
            "time_s": time_s,
            "user_time_s": END_S
            - (sessions.count - sessions.session - sessions.within) * SESSION_S,
            "row_id": np.arange(n),
            "is_example": is_example,
            "label": np.where(first & is_known, label, UNKNOWN_LABEL).astype(np.int8),
            "matures_at_s": np.where(is_known, matures, END_S + to_come * SESSION_S),
            "position": np.where(is_example, (sessions.session - WARM_UP) / eligible, np.nan),
            "matures_position": np.where(is_example, (passed - WARM_UP) / eligible, np.nan),
        }
    )
    return build_log(
        "music",
        SCHEMA,
        events,
        users=pd.DataFrame({"user_id": sessions.users}),
        objects=pd.DataFrame({"object_id": sessions.tracks}),
        label_rule=LABEL_RULE,
        tie_rule=TieRule.ROW,
        clock=ClockKind.SESSIONS,
        where=path.name,
        notes=(
            f"{path.name}: no clock across users; events are aligned by the share of the user's "
            f"sessions gone by, {sessions_a_user:.2f} sessions a user on average, one day each",
            f"{path.name}: examples are first listens from session {WARM_UP} on (from 0) with "
            f"{HORIZON} sessions to come; labels mature when those have passed; split by user",
        ),
    )


def _path(directory: Path) -> Path:
    found = [directory / name for name in FILES if (directory / name).is_file()]
    if len(found) != 1:
        problem = "both files exist" if found else "there is no file of sessions"
        raise InvalidDataError(str(directory), problem, f"Give one of {' and '.join(FILES)}")
    return found[0]


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidDataError(
            path.name, f"the gzip file is damaged or cut ({error})", "Fetch it again"
        ) from error


def _parse(path: Path) -> Sessions:
    users: dict[str, int] = {}
    tracks: dict[str, int] = {}
    gone_by: list[int] = []
    user_of, session_of, length_of, track = [], [], [], []
    for number, line in enumerate(_lines(path), start=1):
        user, *heard = _fields(path, number, line)
        who = users.setdefault(user, len(users))
        if who == len(gone_by):
            gone_by.append(0)
        user_of.append(who)
        session_of.append(gone_by[who])
        length_of.append(len(heard))
        gone_by[who] += 1
        track.extend([tracks.setdefault(name, len(tracks)) for name in heard])
    if not users:
        raise InvalidDataError(path.name, "the file is empty", "Give a session a line")
    lengths = np.array(length_of)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    user_codes = np.repeat(np.array(user_of), lengths)
    return Sessions(
        users=list(users),
        tracks=list(tracks),
        user=user_codes,
        track=np.array(track),
        session=np.repeat(np.array(session_of), lengths),
        within=(np.arange(len(track)) - starts) / np.repeat(lengths, lengths),
        count=np.array(gone_by)[user_codes],
    )


def _fields(path: Path, number: int, line: bytes) -> list[str]:
    where = f"{path.name}:{number}"
    try:
        fields = line.decode("utf-8").rstrip("\r\n").split(",")
    except UnicodeDecodeError as error:
        raise InvalidDataError(where, "the line is not UTF-8", "Save it as UTF-8") from error
    if len(fields) < 2:
        raise InvalidDataError(where, "no track follows the user", "Write user,track,track,...")
    if "" in fields:
        place = fields.index("")
        what = "the user" if place == 0 else f"track {place}"
        raise InvalidDataError(where, f"{what} is empty", "Write user,track,track,...")
    return fields


def _first_listens(sessions: Sessions) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,) first listens, and whether one of the next `HORIZON` sessions has the track again."""
    n = len(sessions)
    pair = sessions.user * len(sessions.tracks) + sessions.track
    met = pd.DataFrame({"pair": pair, "session": sessions.session, "row": np.arange(n)})
    met = met.sort_values(["session", "row"], kind="stable").drop_duplicates(["pair", "session"])
    met["next"] = met.groupby("pair")["session"].shift(-1)
    first = met.drop_duplicates("pair")
    rows = first["row"].to_numpy(np.int64)
    is_first = np.zeros(n, bool)
    is_first[rows] = True
    came_back = np.zeros(n, bool)
    came_back[rows] = (first["next"] - first["session"] <= HORIZON).to_numpy(bool)
    return is_first, came_back
