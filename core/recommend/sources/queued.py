"""Source: what the user's last queue kept for next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recommend.contracts import Proposals, Query
from core.state.state import NOBODY


@dataclass(frozen=True)
class Queued:
    """The user's last queue of the same request, so that what was kept for next stays in sight."""

    name: str = "queue"

    def propose(self, query: Query, limit: int) -> Proposals:
        """In the order of the queue; what the state does not know or the pool lacks is left out."""
        indices = dict.fromkeys(query.state.objects.get(i) for i in query.request.queued_ids)
        indices.pop(NOBODY, None)
        objects = np.array(list(indices), np.int32)
        if query.pool is not None:
            objects = objects[query.pool[objects]]
        return Proposals(objects[:limit])
