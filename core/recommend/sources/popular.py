"""Popular: what users meet most these days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.ranking import best
from core.state.arrays import COUNT, DECAYED, LAST


@dataclass(frozen=True)
class Popular:
    """What users meet most these days."""

    half_life: int = 2
    """Which of the schema's half-lives fades old events."""
    name: str = "popular"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By exponentially decayed count; objects that nobody has met are not popular."""
        counts = query.state.arrays.objects.counts
        half_life = query.state.arrays.shape.half_lives[self.half_life]
        met = counts[:, COUNT] > 0
        elapsed = np.maximum(query.now_s - counts[:, LAST], 0.0)
        scores = counts[:, DECAYED + self.half_life] * np.exp2(-elapsed / half_life)
        allowed = met if query.pool is None else met & query.pool
        found = best(scores, allowed, limit)
        return Proposals(found, ("popular now",) * len(found))
