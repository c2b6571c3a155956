"""The user's own past as a source: what they met often, and lately, comes first.

Personal frequency is what lists of repeats are hard to beat by (Hu et al., "Modeling Personalized
Item Frequency Information for Next-basket Recommendation", SIGIR 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query

_COLUMNS = (
    "own_count",
    "own_decayed_0",
    "own_decayed_1",
    "own_decayed_2",
    "own_share",
    "own_since_last_log",
    "own_rhythm",
    "own_place",
)


@dataclass(frozen=True)
class OwnPast:
    """What the user has met before, the most often met of late first."""

    name: str = "own_past"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By the share of the user's decayed meetings, over all half-lives alike.

        So what was met all the time comes first, beside what was met just now. Ties by the latest
        meeting, then index.
        """
        own = query.state.own_objects(query.user)
        if query.pool is not None:
            own = own[query.pool[own]]
        past = query.state.own_past(query.user, own, query.user_now_s)
        totals = past.decayed.sum(axis=0)
        shares = np.divide(past.decayed, totals, out=np.zeros_like(past.decayed), where=totals > 0)
        first = np.lexsort((own, past.since_last_s, -shares.sum(axis=1)))[:limit]
        return Proposals(own[first], tuple(_times(n) for n in past.count[first].tolist()))

    @property
    def columns(self) -> tuple[str, ...]:
        """What `scores` says of each object; never met, counts are 0 and all else is NaN.

        own_count: log1p of the meetings. own_decayed_0 to _2: log1p of the meetings decayed by
        each half-life, the longest last. own_share: meetings decayed by the longest, over
        the user's with all objects. own_since_last_log: log1p of the seconds since the latest.
        own_rhythm: that less log1p of the mean seconds between two, so 0 when the next is due; NaN
        below two meetings. own_place: log1p of how many objects the user met more often of late.
        """
        return _COLUMNS

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, len(columns)) of objects (n,), against the whole past of the user."""
        own = query.state.own_objects(query.user)
        of_all = query.state.own_past(query.user, own, query.user_now_s).decayed[:, -1]
        past = query.state.own_past(query.user, objects, query.user_now_s)
        often = past.decayed[:, -1]
        total = of_all.sum()
        more_often = len(own) - np.searchsorted(np.sort(of_all), often, side="right")
        since_last = np.log1p(past.since_last_s)
        said = (
            np.log1p(past.count),
            *np.log1p(past.decayed).T,
            often / total if total > 0.0 else often,
            since_last,
            since_last - np.log1p(past.mean_gap_s),
            np.where(past.count > 0, np.log1p(more_often), np.nan),
        )
        return np.column_stack(said).astype(np.float32)


def _times(count: int) -> str:
    return "met once" if count == 1 else f"met {count} times"
