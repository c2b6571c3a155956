"""Latent nearest: what the user's taste draws them to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.ranking import NONE, best
from core.state.families.latent import taste_of_all


@dataclass(frozen=True)
class LatentNearest:
    """What the user's taste draws them to most: an exact matrix product."""

    name: str = "latent_nearest"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By product of taste and vector; nothing for users who have met or liked nothing."""
        users, objects = query.state.arrays.users, query.state.arrays.objects
        liked = taste_of_all(query.user, users, query.state.arrays.totals)
        if not liked.any():
            return NONE
        scores = objects.vector @ liked.astype(np.float32)
        allowed = np.asarray(objects.vector.any(axis=1))
        if query.pool is not None:
            allowed &= query.pool
        found = best(scores, allowed, limit)
        return Proposals(found, ("near to your taste",) * len(found))
