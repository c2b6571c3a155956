"""Facet nearest: what the user has never met, of the artists, brands or genres they choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import History, history_of
from core.recommend.sources.popular import popularity_of
from core.recommend.sources.ranking import NONE, nothing_of
from core.retrieval.largest import largest
from core.state.compiling import allocating_kernel, kernel

SMOOTHING = 50.0
"""Pseudo-meetings by which a user's shares are drawn to those of everybody."""
LEAST_SHARE = 1e-7
"""A value that hardly anybody chooses is not held for rarer than this."""


@dataclass(frozen=True)
class FacetNearest:
    """By popularity, times how much more of an object's facet values the user chooses than others.

    That is the mean over all facets of the user's decayed share of the value over everybody's; of
    several values of one facet, the largest.
    Clusters by content, where objects have vectors, are a facet too.
    """

    name: str = "facet_nearest"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Never what the user has met or liked; nothing for users who have done neither."""
        past = history_of(query)
        if not len(past):
            return NONE
        popular = popularity_of(query, -1)
        allowed = popular > 0.0
        allowed[past.objects] = False
        if query.pool is not None:
            allowed &= query.pool[: len(allowed)]
        candidates = np.flatnonzero(allowed).astype(np.int32)
        lifts, of_value = _lifts(query, past, candidates)
        scores = lifts * popular[candidates]
        places: NDArray[np.int64] = largest(scores, scores > 0.0, limit)
        found, of_value = candidates[places], of_value[places]
        name = query.state.names.name_of
        reasons = (f"more of {name(v)}" if v else "of a kind you choose" for v in of_value.tolist())
        return Proposals(found, tuple(reasons))

    @property
    def columns(self) -> tuple[str, ...]:
        """facet_lift: log of how much more of the object's values the user chooses than others."""
        return ("facet_lift",)

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 1) of objects (n,); NaN for new users and for objects of no known value."""
        past = history_of(query)
        if not len(past):
            return nothing_of(objects, self.columns)
        lifts, _ = _lifts(query, past, objects)
        with np.errstate(divide="ignore"):
            logs = np.log(lifts)
        return np.where(lifts > 0.0, logs, np.nan).astype(np.float32)[:, None]


def _lifts(
    query: Query, past: History, objects: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """(n,) mean lifts of objects (n,), and the value id with the largest of each; 0 without any."""
    arrays, segments = query.state.arrays, query.retrieval.segments
    found: tuple[NDArray[np.float64], NDArray[np.int32]] = _mean_lifts(
        arrays.shape.facet_start,
        arrays.objects.values,
        segments.value_shares,
        segments.clusters,
        segments.cluster_shares,
        past.objects,
        past.decayed,
        objects,
    )
    return found


@allocating_kernel()
def _mean_lifts(
    facet_start: NDArray[np.int64],
    values: NDArray[np.int32],
    value_shares: NDArray[np.float64],
    clusters: NDArray[np.int32],
    cluster_shares: NDArray[np.float64],
    own: NDArray[np.int32],
    weights: NDArray[np.float64],
    objects: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    facets = len(facet_start) - 1
    of_value = np.zeros(len(value_shares))
    of_cluster = np.zeros(len(cluster_shares))
    for i in range(len(own)):
        for slot in range(facet_start[facets]):
            value = values[own[i], slot]
            if value < len(of_value):
                of_value[value] += weights[i]
        if own[i] < len(clusters) and clusters[own[i]] >= 0:
            of_cluster[clusters[own[i]]] += weights[i]
    total = weights.sum()
    _lift(of_value, value_shares, total)
    _lift(of_cluster, cluster_shares, total)
    parts = facets + (1 if len(cluster_shares) > 0 else 0)
    lifts = np.zeros(len(objects))
    strongest = np.zeros(len(objects), np.int32)
    for i in range(len(objects)):
        obj = objects[i]
        largest = 1.0
        for f in range(facets):
            best = 0.0
            for slot in range(facet_start[f], facet_start[f + 1]):
                value = values[obj, slot]
                if value < len(of_value) and of_value[value] > best:
                    best = of_value[value]
                    if best > largest:
                        largest = best
                        strongest[i] = value
            lifts[i] += best
        if obj < len(clusters) and clusters[obj] >= 0:
            lifts[i] += of_cluster[clusters[obj]]
        lifts[i] /= parts
    return lifts, strongest


@kernel()
def _lift(of_each: NDArray[np.float64], shares: NDArray[np.float64], total: float) -> None:
    """Turn a user's meetings of each value into lifts, in place; 0 for values that nobody has."""
    for value in range(len(shares)):
        if shares[value] > 0.0:
            met = of_each[value] / max(shares[value], LEAST_SHARE)
            of_each[value] = (met + SMOOTHING) / (total + SMOOTHING)
        else:
            of_each[value] = 0.0
