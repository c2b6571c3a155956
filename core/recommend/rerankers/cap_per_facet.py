"""A cap: at most so many objects of one artist, brand or destination."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Picked, Query, Ranking


@dataclass(frozen=True)
class CapPerFacet:
    """At most so many objects of one value of the main facet; objects without one are free."""

    cap: int
    """The domain's cap; a request may set its own, 0 means none."""
    name: str = "cap_per_facet"

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        """The first `cap` of each value, in unchanged order."""
        asked = query.request.max_per_facet
        cap = self.cap if asked is None else asked
        arrays = query.state.arrays
        values = arrays.objects.values[ranking.objects, arrays.shape.main_slot[0]]
        taken: Counter[int] = Counter()
        positions = []
        for position, value in enumerate(values.tolist()):
            if value != 0:
                taken[value] += 1
            if cap == 0 or value == 0 or taken[value] <= cap:
                positions.append(position)
        return Picked(np.array(positions, np.intp))
