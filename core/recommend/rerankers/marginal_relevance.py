"""Maximal marginal relevance: each place goes to what is relevant and unlike what stands before it.

Carbonell and Goldstein, The use of MMR (SIGIR 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.recommend.contracts import Picked, Query, Ranking
from core.recommend.rerankers.freshness import in_unit


@dataclass(frozen=True)
class MarginalRelevance:
    """Trades relevance against likeness: cosine of latent vectors and shared facet values."""

    diversity: float = 0.0
    """The domain's weight of unlikeness, 0 to 1; a request may set its own."""
    among: int = 500
    """How many of the best candidates it looks at; those behind keep their order."""
    name: str = "marginal_relevance"

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        """All candidates; as many as the list has places come first, greedily, tier by tier."""
        asked = query.request.diversity
        diversity = self.diversity if asked is None else asked
        n = len(ranking.objects)
        among, places = min(n, self.among), min(n, query.request.size)
        if diversity == 0.0 or places <= 1:
            return Picked(np.arange(n))
        objects = ranking.objects[:among]
        arrays = query.state.arrays
        facets = arrays.shape.facet_start
        vectors = arrays.objects.vector[objects]
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        picked = _greedy(
            in_unit(ranking.utilities[:among]),
            np.ascontiguousarray(ranking.tiers[:among]),
            np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0),
            arrays.objects.values[objects, : facets[-1]],
            facets,
            diversity,
            min(places, among),
        )
        rest = np.setdiff1d(np.arange(n), picked)  # rising: in unchanged order
        return Picked(np.concatenate([picked, rest]))


@njit(cache=True)
def _greedy(
    relevance: NDArray[np.float64],
    tiers: NDArray[np.int8],
    vectors: NDArray[np.float32],
    values: NDArray[np.int32],
    facets: NDArray[np.int64],
    diversity: float,
    places: int,
) -> NDArray[np.intp]:
    """(places,) positions; ties go to the better rank.

    Args:
        relevance: (n,) in [0, 1].
        tiers: (n,) never falling; a tier is emptied before the next begins.
        vectors: (n, d) of length 1 or 0.
        values: (n, slots) value ids of the facets, 0 absent.
        facets: (facets + 1,) bounds of each facet's slots.
        diversity: weight of unlikeness, 0 to 1.
        places: how many to pick, at most n.
    """
    n = len(relevance)
    likeness = np.zeros(n)  # of each candidate and the most like of those it was compared with
    compared = np.zeros(n, np.int64)  # with how many of those picked
    gains = (1.0 - diversity) * relevance
    picked = np.empty(places, np.intp)
    first, end = 0, 0  # all before `first` are picked; `end` is the end of its tier
    for place in range(places):
        while np.isneginf(gains[first]):
            first += 1
        while end < n and (end <= first or tiers[end] == tiers[first]):
            end += 1
        while True:
            best = first
            for i in range(first + 1, end):
                if gains[i] > gains[best]:
                    best = i
            # Likeness only grows: a gain from before the latest picks is a bound, so whoever leads
            # with an up-to-date one has won, and most candidates are compared with few.
            if compared[best] == place:
                break
            for k in range(compared[best], place):
                alike = _likeness(picked[k], best, vectors, values, facets)
                likeness[best] = max(likeness[best], alike)
            compared[best] = place
            gains[best] = (1.0 - diversity) * relevance[best] - diversity * likeness[best]
        picked[place] = best
        gains[best] = -np.inf
    return picked


@njit(cache=True)
def _likeness(
    a: int,
    b: int,
    vectors: NDArray[np.float32],
    values: NDArray[np.int32],
    facets: NDArray[np.int64],
) -> float:
    """How alike two candidates are, in [0, 1].

    The mean of their cosine (0 where negative) and of the share of facets that have a value in
    common, among those that both know.
    """
    cosine = 0.0
    for d in range(vectors.shape[1]):
        cosine += vectors[a, d] * vectors[b, d]
    shared, known = 0, 0
    for f in range(len(facets) - 1):
        has_a, has_b, same = False, False, False
        for i in range(facets[f], facets[f + 1]):
            has_a |= values[a, i] != 0
            has_b |= values[b, i] != 0
            for j in range(facets[f], facets[f + 1]):
                same |= values[a, i] != 0 and values[a, i] == values[b, j]
        known += has_a and has_b
        shared += same
    by_facets = shared / known if known else 0.0
    return 0.5 * max(cosine, 0.0) + 0.5 * by_facets
