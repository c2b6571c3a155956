"""What sources ask of the user's past: what was met, how often of late, and what was only liked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Query
from core.state.arrays import LIKES


@dataclass(frozen=True)
class History:
    """One user's m objects, the one first met latest first; m is 0 for new users.

    What was only liked comes before all that was met, and counts as one meeting of this moment:
    so who has told their likes and met nothing yet is no stranger.
    """

    objects: NDArray[np.int32]
    counts: NDArray[np.int64]
    decayed: NDArray[np.float64]
    """(m,) meetings, decayed by the longest half-life."""

    def __len__(self) -> int:
        return len(self.objects)


def history_of(query: Query) -> History:
    """The past of the query's user as of now, read once."""
    return query.once("history", lambda: _read(query))


def _read(query: Query) -> History:
    liked = only_liked(query)
    objects = np.concatenate([liked, query.state.own_objects(query.user)])
    past = query.state.own_past(query.user, objects, query.user_now_s)
    decayed = past.decayed[:, -1]
    past.count[: len(liked)] = 1
    decayed[: len(liked)] = 1.0
    return History(objects, past.count, decayed)


def only_liked(query: Query) -> NDArray[np.int32]:
    """(n,) what the user likes and has never met, among the latest that they met or liked."""
    if not query.state.arrays.users.counts[query.user, LIKES]:
        return np.zeros(0, np.int32)
    latest = query.state.recent_objects(query.user)
    is_liked = query.state.opinions(query.user, latest) > 0
    return latest[is_liked & ~query.state.met(query.user, latest)]
