"""Sources: popular, item-to-item, latent nearest and content nearest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.state.arrays import COUNT, DECAYED, LAST
from core.state.families.latent import taste_of_all
from core.state.state import NOBODY

NONE = Proposals(np.zeros(0, np.int32))


def best(scores: NDArray[np.floating], allowed: NDArray[np.bool_], limit: int) -> NDArray[np.int32]:
    """At most `limit` allowed indices by falling score, ties by rising index; 0 is nobody."""
    indices = np.flatnonzero(allowed[1:]) + 1
    if len(indices) > limit:
        # The threshold first, then everything that reaches it: ties at the edge stay stable.
        threshold = np.partition(scores[indices], len(indices) - limit)[len(indices) - limit]
        indices = indices[scores[indices] >= threshold]
    order = np.lexsort((indices, -scores[indices]))
    return indices[order[:limit]].astype(np.int32)


@dataclass(frozen=True)
class Popular:
    """What users meet most these days."""

    half_life: int = 2
    """Which of the schema's half-lives fades old events."""
    name: str = "popular"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By exponentially decayed count; objects that nobody has met are not popular."""
        counts = query.state.arrays.objects.counts
        half_life = query.state.arrays.shape.half_lives[self.half_life]
        met = counts[:, COUNT] > 0
        elapsed = np.maximum(query.now_s - counts[:, LAST], 0.0)
        scores = counts[:, DECAYED + self.half_life] * np.exp2(-elapsed / half_life)
        allowed = met if query.pool is None else met & query.pool
        found = best(scores, allowed, limit)
        return Proposals(found, ("popular now",) * len(found))


@dataclass(frozen=True)
class ItemToItem:
    """What users of the latest objects also met: live, so a listen changes the next list."""

    recent: int = 20
    """How many of the user's latest objects are looked at."""
    fade: float = 0.9
    """Weight of each object against the one met after it."""
    name: str = "item_to_item"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By the sum of faded cosines; the reason names the strongest of the latest objects."""
        if query.user == NOBODY:
            return NONE
        totals: dict[int, float] = {}
        strongest: dict[int, tuple[float, int]] = {}
        for i, seed in enumerate(query.state.recent_objects(query.user)[: self.recent]):
            neighbours, cosines = query.item_neighbours.of(int(seed))
            for obj, cosine in zip(neighbours.tolist(), cosines.tolist(), strict=True):
                if query.pool is not None and not query.pool[obj]:
                    continue
                share = cosine * self.fade**i
                totals[obj] = totals.get(obj, 0.0) + share
                if obj not in strongest or share > strongest[obj][0]:
                    strongest[obj] = (share, int(seed))
        ranked = sorted(totals, key=lambda obj: (-totals[obj], obj))[:limit]
        names = query.state.objects
        reasons = tuple(f"similar to {names.string(strongest[obj][1])}" for obj in ranked)
        return Proposals(np.array(ranked, np.int32), reasons)


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


@dataclass(frozen=True)
class ContentNearest:
    """What is most like the user's taste or one of their latest objects, by content alone.

    So it finds what nobody has met yet. Where there are no content vectors it proposes nothing.
    """

    recent: int = 5
    """How many of the user's latest objects are looked at."""
    name: str = "content_nearest"

    def propose(self, query: Query, limit: int) -> Proposals:
        """By the largest cosine: an exact matrix product; the reason names what it is like."""
        content = query.state.arrays.content
        if query.user == NOBODY or not content.has_space:
            return NONE
        latest = query.state.recent_objects(query.user)[: self.recent]
        like = np.vstack([content.taste[query.user], content.vector[latest]])
        names = ["your taste", *map(query.state.objects.string, latest.tolist())]
        known = np.flatnonzero(like.any(axis=1))
        if not len(known):
            return NONE
        like = like[known] / np.linalg.norm(like[known], axis=1, keepdims=True)
        cosines = content.vector @ like.T
        allowed = content.shown if query.pool is None else content.shown & query.pool
        found = best(cosines.max(axis=1), allowed, limit)
        nearest = known[cosines[found].argmax(axis=1)]
        return Proposals(found, tuple(f"content near to {names[i]}" for i in nearest.tolist()))
