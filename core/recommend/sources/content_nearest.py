"""Content nearest: what is like the user's taste by content alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.ranking import NONE, best
from core.state.state import NOBODY


@dataclass(frozen=True)
class ContentNearest:
    """What is most like the user's taste or one of their latest objects, by content alone.

    So it finds what nobody has met yet. Where there are no content vectors it proposes nothing.
    """

    recent: int = 5
    """How many of the user's latest objects are looked at."""
    name: str = "content_nearest"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By the largest cosine: an exact matrix product; the reason names what it is like."""
        content = query.state.arrays.content
        if query.user == NOBODY or not content.has_space:
            return NONE
        latest = query.state.recent_objects(query.user)[: self.recent]
        like = np.vstack([content.taste[query.user], content.vector[latest]])
        names = ["your taste", *map(query.state.objects.string, latest.tolist())]
        known = np.flatnonzero(like.any(axis=1))
        if not len(known):
            return NONE
        like = like[known] / np.linalg.norm(like[known], axis=1, keepdims=True)
        cosines = content.vector @ like.T
        allowed = content.shown if query.pool is None else content.shown & query.pool
        found = best(cosines.max(axis=1), allowed, limit)
        nearest = known[cosines[found].argmax(axis=1)]
        return Proposals(found, tuple(f"content near to {names[i]}" for i in nearest.tolist()))
