"""What lists are judged on: a log cut at a moment, what precedes it and what followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import FieldViolation, InvalidRequestError, NotEnoughDataError
from core.lists.visits import (
    NEXT_SESSIONS,
    ROUNDING,
    interactions,
    session_counts,
    session_places,
    visit_numbers,
)
from core.log import ClockKind, EventLog

DAY_S = 86400.0


class Mode(StrEnum):
    """Which objects may stand in a list and count as found."""

    ALL = "all"
    REPEAT = "repeat"
    """Only objects that the user had before the cut."""
    EXPLORE = "explore"
    """Only objects that the user never had before the cut."""


class TargetKind(StrEnum):
    """What a list should have foreseen."""

    NEXT = "next"
    """The first visit after the cut."""
    HORIZON = "horizon"
    """Everything within the label rule's horizon after the cut, or the next five sessions."""


class ListRecommender(Protocol):
    """Anything that makes lists, as it is judged: it was fitted on a task's history alone."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def recommend(self, users: NDArray[np.int64], k: int, mode: Mode) -> NDArray[np.int32]:
        """(n_users, k) object indices of the log, best first, none twice, -1 where a list ends."""
        ...


@dataclass(frozen=True)
class Targets:
    """What each user of a task took after the cut, each object once.

    Attributes:
        starts: (n_users + 1,) int64: the user at position i has objects[starts[i]:starts[i + 1]].
        objects: (m,) int32 object indices of the log, ascending within a user. Objects that
            nobody had before the cut are among them: no list can name most of these, but a
            perfect one would.
        had_before: (m,) bool: the user had the object before the cut.
    """

    starts: NDArray[np.int64]
    objects: NDArray[np.int32]
    had_before: NDArray[np.bool_]

    def of(self, position: int) -> NDArray[np.int32]:
        """The objects of the user at a position of the task's users."""
        return self.objects[self.starts[position] : self.starts[position + 1]]

    def within(self, mode: Mode) -> Targets:
        """The targets that count in a mode."""
        if mode is Mode.ALL:
            return self
        kept = self.had_before == (mode is Mode.REPEAT)
        starts = np.append(0, np.cumsum(kept))[self.starts]
        return Targets(starts, self.objects[kept], self.had_before[kept])

    def at(self, positions: NDArray[np.int64]) -> Targets:
        """The targets of the users at some positions, in their order."""
        sizes = self.sizes[positions]
        starts = np.append(0, np.cumsum(sizes))
        taken = np.repeat(self.starts[positions] - starts[:-1], sizes) + np.arange(starts[-1])
        return Targets(starts, self.objects[taken], self.had_before[taken])

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n_users,) how many targets each user has."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class ListTask:
    """A log cut at a moment.

    Attributes:
        log: the whole log; recommenders see its rows `history` only.
        cut_s: the moment on the log's clock; whole tie groups lie before it or after it.
        history: (h,) int64 rows of the log before the cut, of all outcomes, in log order. On a
            clock of sessions a session that was under way is not in it, but wholly in the targets.
        visits: (h,) int64 number of the visit of each history row within its user, from 0;
            -1 where the row is no interaction.
        users: (n,) int64 user indices, ascending: at least one interaction before the cut and one
            after it.
        targets: by kind; of HORIZON some users may have none.
    """

    log: EventLog
    cut_s: float
    history: NDArray[np.int64]
    visits: NDArray[np.int64]
    users: NDArray[np.int64]
    targets: Mapping[TargetKind, Targets]


def cut_of(log: EventLog, text: str) -> float:
    """The moment that `0.8` (share of the log's time) or `292d` (days after the first event) means.

    On a clock of sessions the share is that of each user's sessions.

    Raises:
        InvalidRequestError: neither of both, or not within the log.
    """
    if text.endswith("d") and log.clock is not ClockKind.SESSIONS:
        moment = log.time_s[0] + DAY_S * _number(text, text[:-1])
        if not log.time_s[0] < moment <= log.time_s[-1]:
            days = (log.time_s[-1] - log.time_s[0]) / DAY_S
            raise _bad_cut(f"{text} is not within the log's {days:.1f} days")
        return float(moment)
    share = _number(text, text)
    if not 0.0 < share < 1.0:
        raise _bad_cut(f"the share {text} is not between 0 and 1")
    if log.clock is ClockKind.SESSIONS:
        return _moment_of_share(log, share)
    return float(log.time_s[0] + share * (log.time_s[-1] - log.time_s[0]))


def cut_lists(log: EventLog, cut_s: float) -> ListTask:
    """History, users and targets of a cut at a moment of the log's clock.

    On a clock of sessions the cut is the same share of every user's sessions, rounded down to
    whole sessions: with share 0.8 a user of 27 sessions has 21 of them as history and the 22nd,
    under way at the cut, as the next.

    Raises:
        NotEnoughDataError: no user has interactions both before and after the cut.
    """
    return _cut(log, cut_s, np.arange(len(log)))


def earlier_task(task: ListTask) -> ListTask:
    """A task within a task's history, to choose settings on: nothing after its cut is seen.

    It is cut a horizon before the cut, but not in the first half of the time before it; on a clock
    of sessions at the same share once more.

    Raises:
        NotEnoughDataError: the history is too short.
    """
    log = task.log
    if log.clock is ClockKind.SESSIONS:
        return _cut(log, _moment_of_share(log, _share_at(log, task.cut_s) ** 2), task.history)
    first_s = float(log.time_s[0])
    earliest_s = first_s + 0.5 * (task.cut_s - first_s)
    return _cut(log, max(task.cut_s - log.label_rule.horizon_s, earliest_s), task.history)


def history_log(task: ListTask) -> EventLog:
    """The log as it stood at the cut: the rows of the history, all users and objects.

    Labels of the file that mature after the cut are in it as in any log: a replay up to the cut
    does not let them count.
    """
    log, rows = task.log, task.history
    return replace(
        log,
        user_index=log.user_index[rows],
        object_index=log.object_index[rows],
        time_s=log.time_s[rows],
        user_time_s=log.user_time_s[rows],
        tie_group=log.tie_group[rows],
        context={name: values[rows] for name, values in log.context.items()},
        outcome=log.outcome[rows],
        is_example=log.is_example[rows],
        labels=log.labels[rows],
        matures_at_s=log.matures_at_s[rows],
        position=log.position[rows],
        matures_position=log.matures_position[rows],
        row_id=log.row_id[rows],
    )


def _number(text: str, digits: str) -> float:
    try:
        return float(digits)
    except ValueError as error:
        raise _bad_cut(f"{text!r} is neither a share as 0.8 nor days as 292d") from error


def _bad_cut(problem: str) -> InvalidRequestError:
    return InvalidRequestError([FieldViolation("--cut", problem)])


def _shares(log: EventLog) -> NDArray[np.float64]:
    """(n,) on a clock of sessions: the share of the user's sessions gone by at each event."""
    return session_places(log) / session_counts(log)[log.user_index]


def _moment_of_share(log: EventLog, share: float) -> float:
    """The first moment at which that share of each user's sessions has gone by."""
    reached = np.flatnonzero(_shares(log) >= share - ROUNDING)
    if not len(reached):
        raise _bad_cut(f"no session begins after the share {share:g}")
    return float(log.time_s[reached[0]])


def _share_at(log: EventLog, cut_s: float) -> float:
    after = np.flatnonzero(log.time_s >= cut_s)
    return float(_shares(log)[after[0]]) if len(after) else 1.0


def _cut(log: EventLog, cut_s: float, rows: NDArray[np.int64]) -> ListTask:
    """The task of the chosen rows of a log; the others might as well not be there."""
    visits = visit_numbers(log)
    before = log.time_s[rows] < cut_s
    if log.clock is ClockKind.SESSIONS:
        gone_by = np.floor(_share_at(log, cut_s) * session_counts(log) + ROUNDING)
        before &= np.floor(session_places(log)[rows]) < gone_by[log.user_index[rows]]
    taken = interactions(log)[rows]
    history, after = rows[before], rows[~before & taken]
    had = _pairs(log, history[visits[history] >= 0])
    users = np.intersect1d(log.user_index[rows[before & taken]], log.user_index[after])
    if not len(users):
        raise NotEnoughDataError(
            "no user has events both before and after the cut: choose another cut or a longer log"
        )
    after = after[np.isin(log.user_index[after], users)]
    since = visits[after] - _first_visits(log, after, visits)[log.user_index[after]]
    if log.clock is ClockKind.SESSIONS:
        in_horizon = since < NEXT_SESSIONS
    else:
        in_horizon = log.time_s[after] <= cut_s + log.label_rule.horizon_s
    return ListTask(
        log=log,
        cut_s=cut_s,
        history=history,
        visits=visits[history],
        users=users.astype(np.int64),
        targets={
            TargetKind.NEXT: _targets(log, after[since == 0], users, had),
            TargetKind.HORIZON: _targets(log, after[in_horizon], users, had),
        },
    )


def _first_visits(
    log: EventLog, after: NDArray[np.int64], visits: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(n_users,) the number of the first visit that has rows after the cut."""
    first = np.full(len(log.users), np.iinfo(np.int64).max)
    np.minimum.at(first, log.user_index[after], visits[after])
    return first


def _pairs(log: EventLog, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The (user, object) pairs of rows as single numbers, ascending, each once."""
    return np.unique(
        log.user_index[rows].astype(np.int64) * len(log.objects) + log.object_index[rows]
    )


def _targets(
    log: EventLog, rows: NDArray[np.int64], users: NDArray[np.int32], had: NDArray[np.int64]
) -> Targets:
    pairs = _pairs(log, rows)
    user, objects = np.divmod(pairs, len(log.objects))
    starts = np.append(np.searchsorted(user, users), len(pairs))
    return Targets(starts.astype(np.int64), objects.astype(np.int32), np.isin(pairs, had))
