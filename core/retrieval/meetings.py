"""Who met what, how often and how lately: what every index is counted from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from core.state.arrays import LAST, ORIGIN, UO_COUNT, UO_LAST, UO_WIDTH
from core.state.hashing import stored_pairs
from core.state.state import State


@dataclass(frozen=True)
class Meetings:
    """All pairs of users and objects that have met, as of one moment.

    Attributes:
        counts: (users, objects) float32 meetings.
        decayed: (users, objects) float32, the same pairs: meetings decayed by the longest
            half-life, as of each user's own latest meeting, so that who pauses keeps their habits.
    """

    counts: csr_matrix
    decayed: csr_matrix


def meetings_of(state: State) -> Meetings:
    """Count the pairs of a state as it stands; rows and columns are the state's indices."""
    arrays = state.arrays
    table = arrays.user_object
    # The weight of a pair is its place in the table: so one sort finds all that is counted of it.
    places = np.where(table.rows[:, UO_COUNT] > 0, np.arange(1.0, len(table.keys) + 1.0), 0.0)
    users, objects, places = stored_pairs(table, places)
    slots = places.astype(np.int64) - 1
    latest = arrays.users.counts[users, LAST] - arrays.totals.numbers[ORIGIN]
    elapsed = np.maximum(latest - table.marks[slots, UO_LAST], 0.0)
    faded = np.exp2(-elapsed / arrays.shape.past_half_lives[-1])
    shape = (state.users.end, state.objects.end)
    starts = np.searchsorted(users, np.arange(shape[0] + 1))
    columns = objects.astype(np.int32)
    counts = table.rows[slots, UO_COUNT]
    decayed = (table.rows[slots, UO_WIDTH - 1] * faded).astype(np.float32)
    return Meetings(
        csr_matrix((counts, columns, starts), shape), csr_matrix((decayed, columns, starts), shape)
    )
