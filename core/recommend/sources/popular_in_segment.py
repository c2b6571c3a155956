"""Popular in a segment: what users of the same taste or of the same attributes meet most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import history_of
from core.recommend.sources.ranking import NONE, best_positive
from core.retrieval.rows import looked_up


@dataclass(frozen=True)
class PopularInSegment:
    """By share of a segment's meetings: that of the user's taste, else those of their attributes.

    Attributes that the request names count as those of the user, so new users have segments too.
    """

    name: str = "popular_in_segment"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing for users of whom neither a taste nor an attribute is known."""
        by_taste, by_attribute = self._shares(query)
        shares, reason = by_taste, "popular among people of your taste"
        if shares is None:
            shares, reason = by_attribute, "popular among people like you"
        if shares is None:
            return NONE
        found = best_positive(shares, query.pool, limit)
        return Proposals(found, (reason,) * len(found))

    @property
    def columns(self) -> tuple[str, ...]:
        """Shares of decayed meetings: of the segment by taste, and the mean over attributes."""
        return ("pop_taste_segment", "pop_attribute_segment")

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 2) of objects (n,); NaN where the user has no such segment."""
        nothing = np.zeros(0)
        columns = [
            looked_up(nothing if shares is None else shares, objects)
            for shares in self._shares(query)
        ]
        return np.column_stack(columns)

    def _shares(
        self, query: Query
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Of the segments by taste and by attributes."""
        return query.once(self, lambda: (self._by_taste(query), self._by_attribute(query)))

    @staticmethod
    def _by_taste(query: Query) -> NDArray[np.float64] | None:
        """(n_objects,) shares; None without a taste."""
        past, segments = history_of(query), query.retrieval.segments
        taste = query.retrieval.similar_users.taste_of(past.objects, past.decayed)
        segment = segments.segment_of(taste)
        if segment < 0:
            return None
        return segments.by_taste.sum_of(np.array([segment]), np.ones(1))

    @staticmethod
    def _by_attribute(query: Query) -> NDArray[np.float64] | None:
        """(n_objects,) shares; None for users of no known attribute."""
        segments = query.retrieval.segments
        values = query.state.user_values(query.user, query.request.user.attributes)
        starts = segments.by_attribute.starts
        values = values[values < len(segments.by_attribute)]
        values = values[starts[values + 1] > starts[values]]
        if not len(values):
            return None
        return segments.by_attribute.sum_of(values, np.full(len(values), 1.0 / len(values)))
