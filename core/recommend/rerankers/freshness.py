"""Freshness: gives room to what few users have met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Picked, Query, Ranking
from core.state.arrays import DISTINCT


@dataclass(frozen=True)
class Freshness:
    """Blends in how few users have met an object: new ones have the fewest."""

    freshness: float = 0.0
    """The domain's weight, 0 to 1; a request may set its own. At 1 only rarity counts."""
    name: str = "freshness"

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        """All candidates, by falling blend of utility and rarity within each tier."""
        asked = query.request.freshness
        weight = self.freshness if asked is None else asked
        n = len(ranking.objects)
        if weight == 0.0 or n == 0:
            return Picked(np.arange(n))
        users = query.state.arrays.objects.counts[ranking.objects, DISTINCT]
        rarity = 1.0 - in_unit(np.log1p(users))
        blended = (1.0 - weight) * in_unit(ranking.utilities) + weight * rarity
        order = np.lexsort((np.arange(n), -blended, ranking.tiers))
        return Picked(order, blended[order])


def in_unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the values stretched to [0, 1]; 0 where all are equal."""
    span = np.ptp(values)
    return np.zeros(len(values)) if span == 0.0 else (values - values.min()) / span
