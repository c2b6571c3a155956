"""Similar users: what users with the same habits meet often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import history_of
from core.recommend.sources.ranking import NONE, best_positive, nothing_of
from core.retrieval.rows import looked_up


@dataclass(frozen=True)
class SimilarUsers:
    """By decayed frequency among the nearest users, weighted by how similar they are."""

    neighbours: int = 100
    """How many users are looked at."""
    name: str = "similar_users"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing for users who have met nothing that the index knows."""
        frequencies = self._frequencies(query)
        if frequencies is None:
            return NONE
        found = best_positive(frequencies, query.pool, limit)
        return Proposals(found, ("often chosen by people like you",) * len(found))

    @property
    def columns(self) -> tuple[str, ...]:
        """similar_users: mean decayed meetings among the nearest users."""
        return ("similar_users",)

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 1) of objects (n,); NaN for those that came after the index, and for new users."""
        frequencies = self._frequencies(query)
        if frequencies is None:
            return nothing_of(objects, self.columns)
        return looked_up(frequencies, objects)[:, None]

    def _frequencies(self, query: Query) -> NDArray[np.float64] | None:
        """(n_objects,) what `scores` looks up; None for users without a taste."""
        return query.once(self, lambda: self._of_nearest(query))

    def _of_nearest(self, query: Query) -> NDArray[np.float64] | None:
        past, index = history_of(query), query.retrieval.similar_users
        taste = index.taste_of(past.objects, past.decayed)
        if not taste.any():
            return None
        return index.frequencies(taste, query.user, self.neighbours)
