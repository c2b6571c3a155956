"""What baselines may know: the history of a task as arrays over the objects that anyone had."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.lists.protocol import DAY_S, ListTask
from core.log import ClockKind


@dataclass(frozen=True)
class History:
    """A task's interactions before its cut, one row for each (user, visit, object).

    Objects that anyone had are columns, the most popular first: where scores are equal, an
    earlier column wins, so lists go on with what is popular where a method has nothing to say.

    Attributes:
        n_users: users of the log.
        objects: (c,) int32 log index of each column's object.
        user: (h,) int64; rows are in log order of their first event.
        visit: (h,) int64 number of the visit within the user, from 0.
        column: (h,) int64.
        repeats: (h,) float32 events of the row.
        age_days: (h,) days from the row to the cut on the user's own clock.
        log_age_days: (h,) the same on the log's clock.
        visits: (n_users,) int64 how many visits each user has had.
        seed: of whatever is random in a fit.
    """

    n_users: int
    objects: NDArray[np.int32]
    user: NDArray[np.int64]
    visit: NDArray[np.int64]
    column: NDArray[np.int64]
    repeats: NDArray[np.float32]
    age_days: NDArray[np.float64]
    log_age_days: NDArray[np.float64]
    visits: NDArray[np.int64]
    seed: int = 0

    @property
    def age_visits(self) -> NDArray[np.int64]:
        """(h,) how many visits of the user lie between the row and the cut."""
        return self.visits[self.user] - 1 - self.visit

    def matrix(self, weights: NDArray[np.floating]) -> sp.csr_matrix:
        """(n_users, c) float32 sums of the rows' weights (h,)."""
        return sp.csr_matrix(
            (weights.astype(np.float32), (self.user, self.column)),
            shape=(self.n_users, len(self.objects)),
        )

    @cached_property
    def counts(self) -> sp.csr_matrix:
        """(n_users, c) float32 in how many visits the user had the object."""
        return self.matrix(np.ones(len(self.user), np.float32))

    def weighted(self, how: str) -> sp.csr_matrix:
        """(n_users, c) `counts` as they are, their `log` (1 + n), or `binary`."""
        matrix = self.counts.copy()
        if how == "log":
            matrix.data = np.log1p(matrix.data)
        elif how == "binary":
            matrix.data[:] = 1.0
        return matrix


def history_of(task: ListTask, seed: int = 0) -> History:
    """The history of a task."""
    log = task.log
    kept = task.visits >= 0
    rows, visit = task.history[kept], task.visits[kept]
    user = log.user_index[rows].astype(np.int64)
    visits = np.zeros(len(log.users), np.int64)
    np.maximum.at(visits, user, visit + 1)
    place = np.lexsort((log.object_index[rows], visit, user))
    changes = [np.diff(of[place], prepend=-1) != 0 for of in (user, visit, log.object_index[rows])]
    starts = np.flatnonzero(np.any(changes, axis=0))
    first = place[starts]  # lexsort is stable: the earliest event of each
    order = np.argsort(first, kind="stable")
    first, repeats = first[order], np.diff(np.append(starts, len(place)))[order]
    user, visit, rows = user[first], visit[first], rows[first]
    objects, column = _columns_by_popularity(log.object_index[rows])
    log_age = (task.cut_s - log.time_s[rows]) / DAY_S
    of_sessions = log.clock is ClockKind.SESSIONS
    return History(
        n_users=len(log.users),
        objects=objects,
        user=user,
        visit=visit,
        column=column,
        repeats=repeats.astype(np.float32),
        age_days=(visits[user] - visit).astype(np.float64) if of_sessions else log_age,
        log_age_days=log_age,
        visits=visits,
        seed=seed,
    )


def _columns_by_popularity(
    objects: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The distinct objects, most frequent first, and the column of each row."""
    distinct, code, counts = np.unique(objects, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    column_of = np.empty(len(distinct), np.int64)
    column_of[order] = np.arange(len(distinct))
    return distinct[order].astype(np.int32), column_of[code]
