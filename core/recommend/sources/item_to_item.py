"""Item-to-item: what users of the latest objects also met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import history_of
from core.recommend.sources.ranking import NONE, best_positive
from core.retrieval.item_neighbours import ItemNeighbours
from core.retrieval.rows import looked_up
from core.state.compiling import allocating_kernel
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
        totals, strongest = self._by_latest(query)
        found = best_positive(totals, query.pool, limit)
        name = query.state.objects.string
        return Proposals(found, tuple(f"similar to {name(i)}" for i in strongest[found].tolist()))

    @property
    def columns(self) -> tuple[str, ...]:
        """What `scores` says.

        item_recent: the sum of faded cosines to the latest objects. item_all: the mean of the
        cosines to all that the user has met, weighted by decayed meetings.
        """
        return ("item_recent", "item_all")

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 2) of objects (n,); NaN for those that came after the index, and for new users."""
        past = history_of(query)
        if not len(past):
            return np.full((len(objects), 2), np.nan, np.float32)
        shares = past.decayed / max(float(past.decayed.sum()), 1e-12)
        index = query.retrieval.item_neighbours
        by_all, _ = _sum_neighbours(index.neighbours, index.cosines, past.objects, shares)
        by_latest, _ = self._by_latest(query)
        return np.column_stack([looked_up(by_latest, objects), looked_up(by_all, objects)])

    def _by_latest(self, query: Query) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """See `_sum_neighbours`, of the latest objects."""
        seeds = query.state.recent_objects(query.user)[: self.recent]
        index: ItemNeighbours = query.retrieval.item_neighbours
        weights = self.fade ** np.arange(len(seeds), dtype=np.float64)
        return query.once(
            self, lambda: _sum_neighbours(index.neighbours, index.cosines, seeds, weights)
        )


@allocating_kernel()
def _sum_neighbours(
    neighbours: NDArray[np.int32],
    cosines: NDArray[np.float32],
    seeds: NDArray[np.int32],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """(n_objects,) weighted cosines to seeds (m,), and which seed adds most; 0 without a seed.

    Seeds that the index does not know add nothing; of equal ones the earlier is the strongest.
    """
    totals = np.zeros(len(neighbours))
    largest = np.zeros(len(neighbours))
    strongest = np.zeros(len(neighbours), np.int32)
    for i in range(len(seeds)):
        if seeds[i] >= len(neighbours):
            continue
        for k in range(neighbours.shape[1]):
            obj = neighbours[seeds[i], k]
            if obj == 0:
                break
            share = weights[i] * np.float64(cosines[seeds[i], k])
            totals[obj] += share
            if share > largest[obj]:
                largest[obj] = share
                strongest[obj] = seeds[i]
    return totals, strongest
