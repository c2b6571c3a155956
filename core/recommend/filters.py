"""Filters: what must not be recommended, whatever its score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Query


@dataclass(frozen=True)
class InPool:
    """Only members of the requested pool."""

    name: str = "not in the pool"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        return np.ones(len(objects), bool) if query.pool is None else query.pool[objects]


@dataclass(frozen=True)
class NotExcluded:
    """Nothing that the caller excludes."""

    name: str = "excluded"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        excluded = [query.state.objects.get(i) for i in query.request.exclude_ids]
        return ~np.isin(objects, np.array(excluded, np.int32))


@dataclass(frozen=True)
class NotSeen:
    """Nothing that the user has met before."""

    name: str = "seen"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        return ~query.state.met(query.user, objects)


@dataclass(frozen=True)
class NotDisliked:
    """Nothing that the user dislikes."""

    name: str = "disliked"

    def keep(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which stay (n,)."""
        return np.asarray(query.state.opinions(query.user, objects) >= 0)
