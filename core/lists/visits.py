"""Visits: which of a user's events belong together, as a basket or a listening session does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.log import INTERACTIONS, ClockKind, EventLog
from core.state.arrays import VISIT_GAP_S

SESSION_S = 86400.0
"""On a clock of sessions, what a session counts."""
NEXT_SESSIONS = 5
"""On a clock of sessions, how many sessions lists look ahead."""
ROUNDING = 1e-6
"""Of a session: what its place within the day may lose in seconds of the size of epochs."""


def interactions(log: EventLog) -> NDArray[np.bool_]:
    """(n,) whether the event is one by which the user takes the object."""
    return np.isin(log.outcome, [str(outcome) for outcome in INTERACTIONS])


def visit_numbers(log: EventLog) -> NDArray[np.int64]:
    """(n,) the number of each interaction's visit within its user, from 0; -1 for other outcomes.

    On a clock of sessions a visit is a session; where the moments of the log are baskets, it is
    one user's events of one moment; elsewhere events that follow each other within VISIT_GAP_S.
    """
    numbers = np.full(len(log), -1, np.int64)
    rows = np.flatnonzero(interactions(log))
    if log.clock is ClockKind.SESSIONS:
        numbers[rows] = session_places(log)[rows].astype(np.int64)
        return numbers
    rows = rows[np.argsort(log.user_index[rows], kind="stable")]
    elapsed = np.diff(log.time_s[rows], prepend=-np.inf)
    is_next = elapsed > 0 if has_baskets(log) else elapsed >= VISIT_GAP_S
    numbers[rows] = _counted_within(log.user_index[rows], is_next)
    return numbers


def has_baskets(log: EventLog) -> bool:
    """Whether the log's moments are baskets: most interactions share one with the user's others."""
    rows = np.flatnonzero(interactions(log))
    if log.tie_group[-1] == len(log) - 1:
        return False  # every event is a moment of its own
    rows = rows[np.lexsort((log.tie_group[rows], log.user_index[rows]))]
    same = (np.diff(log.user_index[rows]) == 0) & (np.diff(log.tie_group[rows]) == 0)
    shares = np.append(False, same) | np.append(same, False)
    return bool(shares.mean() >= 0.5) if len(rows) else False


def session_places(log: EventLog) -> NDArray[np.float64]:
    """(n,) on a clock of sessions: index of the session + place within it, in [0, 1)."""
    first_s = np.full(len(log.users), np.inf)
    np.minimum.at(first_s, log.user_index, log.user_time_s)
    places = (log.user_time_s - first_s[log.user_index]) / SESSION_S
    whole = np.floor(places + ROUNDING)
    exact: NDArray[np.float64] = whole + np.clip(places - whole, 0.0, 1.0 - ROUNDING)
    return exact


def session_counts(log: EventLog) -> NDArray[np.int64]:
    """(n_users,) on a clock of sessions: how many sessions each user of the log has."""
    counts = np.zeros(len(log.users), np.int64)
    np.maximum.at(counts, log.user_index, session_places(log).astype(np.int64) + 1)
    return counts


def _counted_within(users: NDArray[np.int32], is_next: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many `is_next` rows each user had before and with each row, from 0; sorted by user."""
    starts = np.append(True, np.diff(users) != 0)[: len(users)]
    total = np.cumsum(is_next | starts)
    return np.asarray(total - total[np.flatnonzero(starts)][np.cumsum(starts) - 1], np.int64)
