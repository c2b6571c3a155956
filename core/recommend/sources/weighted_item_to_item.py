"""Weighted item-to-item: what belongs to all that the user has met, the most often met first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import history_of
from core.recommend.sources.ranking import NONE, best_positive, nothing_of
from core.retrieval.rows import looked_up


@dataclass(frozen=True)
class WeightedItemToItem:
    """By the sum of weighted similarities to every own object, times its decayed meetings."""

    name: str = "weighted_item_to_item"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing for users who have met nothing that has neighbours."""
        similar = self._similar(query)
        if similar is None:
            return NONE
        found = best_positive(similar, query.pool, limit)
        return Proposals(found, ("goes with what you choose most",) * len(found))

    @property
    def columns(self) -> tuple[str, ...]:
        """weighted_item_to_item: mean similarity to the user's meetings of late."""
        return ("weighted_item_to_item",)

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 1) of objects (n,); NaN for those that came after the index, and for new users."""
        similar = self._similar(query)
        if similar is None:
            return nothing_of(objects, self.columns)
        return looked_up(similar, objects)[:, None]

    @staticmethod
    def _similar(query: Query) -> NDArray[np.float64] | None:
        """(n_objects,) what `scores` looks up; None for new users."""
        past = history_of(query)
        if not len(past):
            return None
        shares = past.decayed / max(float(past.decayed.sum()), 1e-12)
        index = query.retrieval.weighted_neighbours
        return query.once("weighted_neighbours", lambda: index.sum_of(past.objects, shares))
