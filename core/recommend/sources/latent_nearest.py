"""Latent nearest: what the user's taste draws them to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.popular import popularity_of
from core.recommend.sources.ranking import NONE, best
from core.retrieval.popularity import log_popularity
from core.state.families.latent import taste_of_all


@dataclass(frozen=True)
class LatentNearest:
    """What the user's taste draws them to, of what is met at all.

    A taste says how much more often than others the user meets an object. What others rarely meet
    is rarely met even so: hence the logarithm of popularity is added, as in the choice model.
    """

    popularity: float = 1.0
    """Weight of the logarithm; 0 goes by taste alone."""
    name: str = "latent_nearest"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By product and popularity; nothing for users who have met or liked nothing.

        Exact, from the vectors of this moment; beyond a million objects by those of the index.
        """
        users, objects = query.state.arrays.users, query.state.arrays.objects
        liked = taste_of_all(query.user, users, query.state.arrays.totals).astype(np.float32)
        if not liked.any():
            return NONE
        if query.retrieval.latent is not None:
            asked = np.append(liked, np.float32(self.popularity))
            found = query.retrieval.latent.nearest(asked, limit, query.pool)[0].astype(np.int32)
        else:
            scores = objects.vector[: query.state.objects.end] @ liked
            # Objects without a vector: nobody has met them and their facets say nothing.
            allowed = scores != 0.0
            if self.popularity:
                popular = popularity_of(query, -1)
                scores += np.float32(self.popularity) * log_popularity(popular)
            if query.pool is not None:
                allowed &= query.pool[: len(allowed)]
            found = best(scores, allowed, limit)
        return Proposals(found, ("near to your taste",) * len(found))
