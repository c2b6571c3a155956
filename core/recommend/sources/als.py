"""ALS: what users with the same factors meet; the user's factors are those of this moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import history_of
from core.recommend.sources.ranking import NONE, nothing_of
from core.retrieval.rows import products


@dataclass(frozen=True)
class Als:
    """By product of factors, those of the user solved for from all that they have met by now."""

    name: str = "als"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing for users who have met nothing that the index knows."""
        factors = self._factors(query)
        if not factors.any():
            return NONE
        found, _ = query.retrieval.als.objects.nearest(factors, limit, query.pool)
        return Proposals(found.astype(np.int32), ("fits all that you had",) * len(found))

    @property
    def columns(self) -> tuple[str, ...]:
        """als: the product of factors, about 1 for what the user surely likes, 0 for the rest."""
        return ("als",)

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 1) of objects (n,); NaN for those that came after the index, and for new users."""
        factors = self._factors(query)
        if not factors.any():
            return nothing_of(objects, self.columns)
        return products(query.retrieval.als.objects.vectors, objects, factors)[:, None]

    @staticmethod
    def _factors(query: Query) -> NDArray[np.float64]:
        past, index = history_of(query), query.retrieval.als
        return query.once("als", lambda: index.fold_in(past.objects, past.counts))
