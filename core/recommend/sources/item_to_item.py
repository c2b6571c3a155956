"""Item-to-item: what users of the latest objects also met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.ranking import NONE
from core.state.state import NOBODY


@dataclass(frozen=True)
class ItemToItem:
    """What users of the latest objects also met: live, so a listen changes the next list."""

    recent: int = 20
    """How many of the user's latest objects are looked at."""
    fade: float = 0.9
    """Weight of each object against the one met after it."""
    name: str = "item_to_item"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By the sum of faded cosines; the reason names the strongest of the latest objects."""
        if query.user == NOBODY:
            return NONE
        totals: dict[int, float] = {}
        strongest: dict[int, tuple[float, int]] = {}
        for i, seed in enumerate(query.state.recent_objects(query.user)[: self.recent]):
            neighbours, cosines = query.retrieval.item_neighbours.of(int(seed))
            for obj, cosine in zip(neighbours.tolist(), cosines.tolist(), strict=True):
                if query.pool is not None and not query.pool[obj]:
                    continue
                share = cosine * self.fade**i
                totals[obj] = totals.get(obj, 0.0) + share
                if obj not in strongest or share > strongest[obj][0]:
                    strongest[obj] = (share, int(seed))
        ranked = sorted(totals, key=lambda obj: (-totals[obj], obj))[:limit]
        names = query.state.objects
        reasons = tuple(f"similar to {names.string(strongest[obj][1])}" for obj in ranked)
        return Proposals(np.array(ranked, np.int32), reasons)
