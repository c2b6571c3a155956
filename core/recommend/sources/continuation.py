"""Continuation: what the user is in the midst of, as it went on the last time.

An album or a playlist that is played again is played in its order: on a log of listening sessions
this ranks what comes next better than how often and how lately things were met.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query
from core.recommend.sources.ranking import nothing_of
from core.state.state import NOBODY


@dataclass(frozen=True)
class Continuation:
    """What followed the object met latest when the user met it before, and what followed that."""

    steps: int = 50
    """How far it is followed."""
    name: str = "continuation"

    def propose(self, query: Query, limit: int) -> Proposals:
        """In the order in which they came; nothing where the latest object was new."""
        coming = self._coming(query)
        if query.pool is not None:
            coming = coming[query.pool[coming]]
        return Proposals(coming[:limit], ("came next, the last time",) * len(coming[:limit]))

    @property
    def columns(self) -> tuple[str, ...]:
        """continuation: 1 of what came next, 1/2 of what came after that; 0 of all others."""
        return ("continuation",)

    def scores(self, query: Query, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n, 1) of objects (n,); NaN for new users."""
        if query.user == NOBODY:
            return nothing_of(objects, self.columns)
        coming = self._coming(query)
        places = {obj: place for place, obj in enumerate(coming.tolist(), start=1)}
        near = [1.0 / places[obj] if obj in places else 0.0 for obj in objects.tolist()]
        return np.array(near, np.float32)[:, None]

    def _coming(self, query: Query) -> NDArray[np.int32]:
        return query.once(self, lambda: query.state.successors(query.user, self.steps))
