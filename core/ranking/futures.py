"""What users took after a moment: the labels of lists that could have been made then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.lists.visits import SESSION_S, interactions, session_places
from core.log import ClockKind, EventLog


@dataclass(frozen=True)
class Futures:
    """A log's interactions by user, m of them.

    Attributes:
        rows: (m,) rows of the log, by user, in log order within a user.
        objects: (m,) their objects, as indices of the log.
        moment_s: (m,) when, on the user's own clock; events of a session share its begin.
        start: (users + 1,) where each user's interactions begin.
        end_s: (users,) up to when all that a user did is known, on their own clock.
        counts_sessions: whether the users' clocks count sessions.
        time_s: (n,) the log's clock.
    """

    rows: NDArray[np.intp]
    objects: NDArray[np.int32]
    moment_s: NDArray[np.float64]
    start: NDArray[np.intp]
    end_s: NDArray[np.float64]
    counts_sessions: bool
    time_s: NDArray[np.float64]

    @classmethod
    def of(cls, log: EventLog) -> Futures:
        """Of all users of a log."""
        taken = np.flatnonzero(interactions(log))
        rows = taken[np.argsort(log.user_index[taken], kind="stable")]
        users = log.user_index[rows]
        start = np.searchsorted(users, np.arange(len(log.users) + 1))
        moment_s = log.user_time_s[rows]
        end_s = np.full(len(log.users), float(log.time_s[-1]))
        counts_sessions = log.clock is ClockKind.SESSIONS
        if counts_sessions and len(rows):
            # A user's first event begins their first session.
            first = moment_s[np.minimum(start[:-1], len(rows) - 1)][users]
            moment_s = first + SESSION_S * np.floor(session_places(log)[rows])
            end_s = moment_s[np.maximum(start[1:] - 1, 0)] + SESSION_S
        return cls(
            rows, log.object_index[rows], moment_s, start, end_s, counts_sessions, log.time_s
        )

    def active(self, row: int) -> NDArray[np.int64]:
        """Users who took something before a row, rising."""
        users = np.flatnonzero(np.diff(self.start) > 0)
        return users[self.rows[self.start[users]] < row]

    def now_s(self, user: int, row: int) -> float:
        """The moment just before a row, on the clock of an active user.

        Where clocks count sessions, the user's next session is about to begin.
        """
        if not self.counts_sessions:
            return float(self.time_s[row])
        return float(self.moment_s[self._split(user, row) - 1]) + SESSION_S

    def next_session(self, user: int, row: int) -> int:
        """Where clocks count sessions, the row at which an active user's next session begins.

        The last session of all must not have begun before the row.
        """
        split = self._split(user, row)
        own = self.moment_s[split : self.start[user + 1]]
        return int(self.rows[split + np.searchsorted(own, self.moment_s[split - 1], side="right")])

    def taken(self, user: int, row: int, until_s: float) -> NDArray[np.int32]:
        """Distinct objects (indices of the log) that a user took from a row on, up to a moment.

        What is taken at the very moment counts, but where clocks count sessions: there the next
        session begins.
        """
        first = self._split(user, row)
        moments = self.moment_s[first : self.start[user + 1]]
        within = moments < until_s if self.counts_sessions else moments <= until_s
        return np.unique(self.objects[first : first + int(np.count_nonzero(within))])

    def _split(self, user: int, row: int) -> int:
        """The place of the user's first interaction at or after a row."""
        own = self.rows[self.start[user] : self.start[user + 1]]
        return int(self.start[user] + np.searchsorted(own, row))
