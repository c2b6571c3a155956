"""What sources ask of the user's past: every object met, how often, and how often of late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Query


@dataclass(frozen=True)
class History:
    """One user's m objects, the one first met latest first; m is 0 for new users."""

    objects: NDArray[np.int32]
    counts: NDArray[np.int64]
    decayed: NDArray[np.float64]
    """(m,) meetings, decayed by the longest half-life."""

    def __len__(self) -> int:
        return len(self.objects)


def history_of(query: Query) -> History:
    """The past of the query's user as of now."""
    objects = query.state.own_objects(query.user)
    past = query.state.own_past(query.user, objects, query.user_now_s)
    return History(objects, past.count, past.decayed[:, -1])
