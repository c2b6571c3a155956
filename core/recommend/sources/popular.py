"""Popular: what users meet most these days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.ranking import best_positive
from core.retrieval.popularity import popularity
from core.state.arrays import DECAYED, LAST


def popularity_of(query: Query, half_life: int) -> NDArray[np.float64]:
    """(n_objects,) `popularity` by one of the schema's half-lives as of now, read once a query."""
    return query.once(
        ("popularity", half_life), lambda: popularity(query.state, half_life, query.now_s)
    )


@dataclass(frozen=True)
class Popular:
    """What users meet most these days."""

    half_life: int = 2
    """Which of the schema's half-lives fades old events in what is proposed."""
    half_lives: int = 4
    """How many the schema has: a column each."""
    name: str = "popular"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By exponentially decayed count; objects that nobody has met are not popular."""
        found = best_positive(popularity_of(query, self.half_life), query.pool, limit)
        return Proposals(found, ("popular now",) * len(found))

    @property
    def columns(self) -> tuple[str, ...]:
        """pop_<i>: log1p of the count decayed by half-life i."""
        return tuple(f"pop_{i}" for i in range(self.half_lives))

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, half_lives) of objects (n,)."""
        counts = query.state.arrays.objects.counts[objects]
        fades = query.state.arrays.shape.half_lives[: self.half_lives]
        elapsed = np.maximum(query.now_s - counts[:, LAST], 0.0)
        decayed = counts[:, DECAYED : DECAYED + len(fades)] * np.exp2(-elapsed[:, None] / fades)
        return np.log1p(decayed).astype(np.float32)
