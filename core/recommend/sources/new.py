"""New: what hardly anybody has met yet, as near to the user's taste as can be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.history import only_liked
from core.recommend.sources.ranking import NONE, best
from core.state.arrays import DISTINCT, LAST
from core.state.families.latent import taste_of_all


@dataclass(frozen=True)
class New:
    """Objects of few users, first met lately or not yet, by nearness to the taste.

    That is the product with vectors by facets and first listeners, plus the cosine of content where
    objects have vectors of it: so an object of the catalogue that nobody has met can be found.
    """

    users: int = 5
    """An object that more users have met is not new."""
    name: str = "new"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing for users without a taste, and nothing that lies away from it."""
        nearness = _nearness(query)
        if nearness is None:
            return NONE
        counts = query.state.arrays.objects.counts[: len(nearness)]
        # Of objects so rarely met, the latest meeting is about as old as the first.
        since = query.now_s - query.state.arrays.shape.half_lives[-1]
        met_at = counts[:, LAST]
        allowed = (counts[:, DISTINCT] <= self.users) & ((met_at >= since) | (met_at == -np.inf))
        allowed &= nearness > 0.0
        allowed[query.state.own_objects(query.user)] = False
        if query.pool is not None:
            allowed &= query.pool[: len(allowed)]
        found = best(nearness, allowed, limit)
        return Proposals(found, ("new, and near to your taste",) * len(found))


def _nearness(query: Query) -> NDArray[np.float32] | None:
    """(n_objects,) how near objects are to the user's tastes; None without any taste."""
    arrays, n = query.state.arrays, query.state.objects.end
    liked = taste_of_all(query.user, arrays.users, arrays.totals).astype(np.float32)
    nearness = arrays.objects.vector[:n] @ liked
    if arrays.content.has_space:
        # A taste by content is made of meetings alone; what is only liked speaks here.
        liked_content = arrays.content.vector[only_liked(query)].sum(axis=0)
        taste = arrays.content.taste[query.user] + liked_content
        nearness += arrays.content.vector[:n] @ (taste / max(float(np.linalg.norm(taste)), 1e-12))
    return nearness if nearness.any() else None
