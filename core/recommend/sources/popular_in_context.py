"""Popular in a context: what is met most in the circumstances that the request tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.ranking import NONE, best_positive


@dataclass(frozen=True)
class PopularInContext:
    """By share of all meetings in the first context value, in the schema's order, that is known.

    It says nothing of candidates: examples of lists have no context, so a ranker cannot learn it.
    """

    name: str = "popular_in_context"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing for requests without a context that has been seen."""
        index = query.retrieval.segments.by_context
        values = query.state.names.context_values(query.request.context)
        for field, value in zip(query.state.schema.context, values.tolist(), strict=True):
            shares = index.sum_of(np.array([value]), np.ones(1))
            if shares.any():
                found = best_positive(shares, query.pool, limit)
                reason = f"popular with {field.name} {query.request.context[field.name]}"
                return Proposals(found, (reason,) * len(found))
        return NONE
