"""What users took after a moment: the labels of lists that could have been made then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.log import INTERACTIONS, ClockKind, EventLog

DAY_S = 86400.0


@dataclass(frozen=True)
class Futures:
    """A log's interactions by user.

    Attributes:
        log: the log.
        rows: (m,) rows of interactions, by user, in log order within a user.
        start: (users + 1,) where each user's rows begin.
        end_s: (users,) on each user's own clock, up to when everything is known.
    """

    log: EventLog
    rows: NDArray[np.intp]
    start: NDArray[np.intp]
    end_s: NDArray[np.float64]

    @classmethod
    def of(cls, log: EventLog) -> Futures:
        """Of all users of a log."""
        taken = np.flatnonzero(np.isin(log.outcome, [str(outcome) for outcome in INTERACTIONS]))
        rows = taken[np.argsort(log.user_index[taken], kind="stable")]
        start = np.searchsorted(log.user_index[rows], np.arange(len(log.users) + 1))
        end_s = np.full(len(log.users), float(log.time_s[-1]))
        if log.clock is ClockKind.SESSIONS:
            last = rows[np.maximum(start[1:] - 1, 0)]
            end_s = _session_starts(log, rows, start, log.user_time_s[last]) + DAY_S
        return cls(log, rows, start, end_s)

    def active(self, row: int) -> NDArray[np.int64]:
        """(m,) users who took something before a row."""
        first = self.rows[np.minimum(self.start[:-1], len(self.rows) - 1)]
        return np.flatnonzero((np.diff(self.start) > 0) & (first < row))

    def now_s(self, row: int, users: NDArray[np.int64]) -> NDArray[np.float64]:
        """(m,) the moment just before a row, on the clock of each of these active users.

        Where clocks count sessions, the next session is about to begin.
        """
        if self.log.clock is not ClockKind.SESSIONS:
            return np.full(len(users), float(self.log.time_s[row]))
        last = np.array([self._split(user, row) for user in users], np.intp) - 1
        whole = _session_starts(self.log, self.rows, self.start, None)
        return whole[users] + DAY_S * (
            1.0 + np.floor((self.log.user_time_s[self.rows[last]] - whole[users]) / DAY_S + 1e-6)
        )

    def taken(self, user: int, row: int, until_s: float) -> NDArray[np.int32]:
        """Distinct objects that a user took from a row on, before `until_s` on their clock.

        At the very moment still counts, but where clocks count sessions: another begins there.
        """
        rows = self.rows[self._split(user, row) : self.start[user + 1]]
        side = "left" if self.log.clock is ClockKind.SESSIONS else "right"
        within = (
            np.searchsorted(self.log.user_time_s[rows], until_s - 1e-6, side)
            if (self.log.clock is ClockKind.SESSIONS)
            else np.searchsorted(self.log.user_time_s[rows], until_s, side)
        )
        return np.unique(self.log.object_index[rows[:within]])

    def _split(self, user: int, row: int) -> int:
        """The place in `rows` of the user's first interaction at or after a row."""
        start, stop = self.start[user], self.start[user + 1]
        return int(start + np.searchsorted(self.rows[start:stop], row))
