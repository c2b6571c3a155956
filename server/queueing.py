"""Ranks lists into queues, and judges whether a stored queue may still answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from secrets import randbits
from uuid import uuid4

import numpy as np

from core.requests import Engine, RecommendRequest
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.metrics import Metrics
from server.pages import fingerprint, user_key
from server.ports import QueueKey, QueueRecord, QueueStore
from server.serving import Serving

SEED_BITS = 63
"""As many as fit into a signed integer of every store and language."""


class Origin(StrEnum):
    """Where a first page came from, and if not from the queue that was asked for, why."""

    LIVE = "live"
    """Nobody asked for the stored queue."""
    QUEUE = "queue"
    MISSING = "queue_missing"
    OTHER_MODEL = "queue_of_other_model"
    TOO_OLD = "queue_too_old"
    TOO_SHORT = "queue_too_short"
    """Less than a page is left of it."""


@dataclass(frozen=True)
class QueueRules:
    """What an operator says of queues."""

    size: int
    """Items ranked into a queue."""
    ttl_s: float
    """Older queues answer no first page."""
    low: float
    """A queue of which a smaller share is left runs low."""
    story_ttl_s: float
    """Older queues of a story pick anew."""


class Queueing:
    """Ranks, finds and judges queues; who calls it stores them.

    The queue of a story is how its pick stays for a while: what the user hears of it stays part of
    it, and as long as anything is left it is neither too short nor ranked anew.
    """

    def __init__(
        self,
        serving: Serving,
        scoring: BoundedExecutor,
        database: BoundedExecutor,
        queues: QueueStore,
        metrics: Metrics,
        rules: QueueRules,
    ) -> None:
        self._serving = serving
        self._scoring = scoring
        self._database = database
        self._queues = queues
        self._metrics = metrics
        self._rules = rules

    def sized(self, request: RecommendRequest) -> RecommendRequest:
        """The request with the size of its queue.

        Explicit candidates are ranked all of them: the caller asked about exactly these.
        """
        return replace(request, size=max(self._rules.size, len(request.candidate_ids)))

    async def last(
        self, domain: str, request: RecommendRequest, deadline: Deadline
    ) -> QueueRecord | None:
        """The user's current queue of a sized request, however old; users without id have none."""
        if not request.user.id:
            return None
        key = QueueKey(domain, user_key(request.user.id, anonymous=""), fingerprint(request))
        return await self._database.run("queue_read", deadline, lambda: self._queues.get(key))

    async def rank(
        self,
        engine: Engine,
        request: RecommendRequest,
        last: QueueRecord | None,
        deadline: Deadline,
    ) -> QueueRecord:
        """A new queue of a sized request, not stored; what `last` kept for next is a candidate."""
        request = replace(with_queued(request, last), seed=randbits(SEED_BITS))
        ranked_at_s = self._serving.now_s(engine)
        slate = await self._scoring.run(
            "recommend", deadline, lambda: engine.recommend(request, ranked_at_s)
        )
        self._metrics.fallbacks.labels(engine.domain).inc(len(slate.fallbacks))
        user = user_key(request.user.id, anonymous=uuid4().hex)
        return QueueRecord(
            QueueKey(engine.domain, user, fingerprint(request)),
            queue_id=uuid4().hex,
            model_version=engine.model_version,
            created_at_s=self._serving.wall_s(),
            ranked_at_s=ranked_at_s,
            items=slate.items,
            fallbacks=slate.fallbacks,
            seed=request.seed,
        )

    async def allowed(
        self,
        engine: Engine,
        request: RecommendRequest,
        queue: QueueRecord,
        offset: int,
        deadline: Deadline,
    ) -> list[int]:
        """The positions from `offset` on whose items were neither met since nor are disliked.

        What accompanies a story is met by that, so there only dislikes count.
        """
        rest = [item.object_id for item in queue.items[offset:]]
        since_s = queue.ranked_at_s if request.story is None else math.inf
        allowed = await self._scoring.run(
            "still_allowed",
            deadline,
            lambda: engine.still_allowed(request.user.id, rest, since_s),
        )
        return [offset + int(place) for place in np.flatnonzero(allowed)]

    def judged(
        self, engine: Engine, request: RecommendRequest, queue: QueueRecord | None
    ) -> Origin:
        """QUEUE if a first page may come from this queue, as far as its age and model tell."""
        if queue is None:
            return Origin.MISSING
        if queue.model_version != engine.model_version:
            return Origin.OTHER_MODEL
        ttl_s = self._rules.ttl_s if request.story is None else self._rules.story_ttl_s
        if self._serving.wall_s() - queue.created_at_s >= ttl_s:
            return Origin.TOO_OLD
        return Origin.QUEUE

    def is_short(
        self, request: RecommendRequest, queue: QueueRecord, left: int, page_size: int
    ) -> bool:
        """Whether a queue of which `left` items are allowed has too few for a first page."""
        return not left or (request.story is None and left < min(page_size, len(queue.items)))

    def runs_low(self, request: RecommendRequest, queue: QueueRecord, left: int) -> bool:
        """Whether a queue of which `left` items are allowed should be ranked anew soon."""
        return request.story is None and left < self._rules.low * len(queue.items)


def with_queued(request: RecommendRequest, last: QueueRecord | None) -> RecommendRequest:
    """The request with what the user's last queue holds; explicit candidates leave it out."""
    if last is None or request.candidate_ids:
        return request
    return replace(request, queued_ids=tuple(item.object_id for item in last.items))
