"""BPR: what users like this one put before the rest; the user's factors are of this moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import history_of
from core.recommend.sources.ranking import NONE, nothing_of
from core.retrieval.rows import products


@dataclass(frozen=True)
class Bpr:
    """By product of factors and popularity, the user's from the mean of all they have met."""

    name: str = "bpr"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing for users who have met nothing that the index knows."""
        factors = self._factors(query)
        if not factors.any():
            return NONE
        found, _ = query.retrieval.bpr.objects.nearest(factors, limit, query.pool)
        return Proposals(found.astype(np.int32), ("ranks high for your taste",) * len(found))

    @property
    def columns(self) -> tuple[str, ...]:
        """bpr: the product of factors plus the logarithm of popularity as of the fit."""
        return ("bpr",)

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 1) of objects (n,); NaN for those that came after the index, and for new users."""
        factors = self._factors(query)
        if not factors.any():
            return nothing_of(objects, self.columns)
        return products(query.retrieval.bpr.objects.vectors, objects, factors)[:, None]

    @staticmethod
    def _factors(query: Query) -> NDArray[np.float64]:
        past, index = history_of(query), query.retrieval.bpr
        return query.once("bpr", lambda: index.fold_in(past.objects))
