"""Filters: what must not be recommended, whatever its score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.allowed import passes_facets
from core.recommend.contracts import Query
from core.requests import Novelty


@dataclass(frozen=True)
class InPool:
    """Only members of the requested pool."""

    name: str = "not in the pool"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        pool = query.request.pool
        if not pool:
            return np.ones(len(objects), bool)
        place = query.state.schema.pools.index(pool)
        return np.asarray(query.state.arrays.objects.pools[objects, place])


@dataclass(frozen=True)
class NotExcluded:
    """Nothing that the caller excludes."""

    name: str = "excluded"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        excluded = [query.state.objects.get(i) for i in query.request.exclude_ids]
        return ~np.isin(objects, np.array(excluded, np.int32))


@dataclass(frozen=True)
class OfFacets:
    """Only what passes all facet filters, unless the caller lets others follow."""

    name: str = "against a facet filter"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        if query.request.fall_back:
            return np.ones(len(objects), bool)
        return passes_facets(query.state, query.request.facet_filters, objects)


@dataclass(frozen=True)
class OfNovelty:
    """Only what the user never had, or only what they had, as the caller asks."""

    name: str = "not of the novelty asked"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        if query.request.novelty is Novelty.ANY:
            return np.ones(len(objects), bool)
        met = query.state.met(query.user, objects)
        return met if query.request.novelty is Novelty.KNOWN_ONLY else ~met


@dataclass(frozen=True)
class Rested:
    """Nothing that the user has met just now: it rests before it repeats."""

    rest_s: float
    """How long; 0 lets everything repeat at once."""
    name: str = "met just now"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        if not self.rest_s:
            return np.ones(len(objects), bool)
        last_s = query.state.last_met_s(query.user, objects)
        return np.asarray(query.user_now_s - last_s >= self.rest_s)


@dataclass(frozen=True)
class NotDisliked:
    """Nothing that the user dislikes."""

    name: str = "disliked"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        return np.asarray(query.state.opinions(query.user, objects) >= 0)
