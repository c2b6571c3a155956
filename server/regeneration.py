"""Ranks queues that run low anew, behind the answers."""

from __future__ import annotations

import asyncio

from core.requests import RecommendRequest
from server.deadline import NO_DEADLINE
from server.executors import BoundedExecutor
from server.logs import Log
from server.metrics import Metrics
from server.ports import QueueRecord, QueueStore
from server.queueing import Queueing
from server.serving import Serving


class Regeneration:
    """One queue at a time, and only while no caller waits: callers come first.

    A queue that is put off is tried again at its next first page.
    """

    def __init__(
        self,
        serving: Serving,
        scoring: BoundedExecutor,
        database: BoundedExecutor,
        queues: QueueStore,
        queueing: Queueing,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._serving = serving
        self._scoring = scoring
        self._database = database
        self._queues = queues
        self._queueing = queueing
        self._metrics = metrics
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def begin(self, request: RecommendRequest, predecessor: QueueRecord) -> None:
        """Rank a sized request anew; pages of the predecessor stay valid."""
        if self._scoring.waiting or (self._task is not None and not self._task.done()):
            self._count(predecessor, "put_off")
            return
        self._task = asyncio.create_task(
            self._regenerate(request, predecessor), name="queue regeneration"
        )

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _regenerate(self, request: RecommendRequest, predecessor: QueueRecord) -> None:
        domain = predecessor.key.domain
        try:
            engine = self._serving.engine(domain)
            queue = await self._queueing.rank(engine, request, predecessor, NO_DEADLINE)
            stored = await self._database.run(
                "queue_write",
                NO_DEADLINE,
                lambda: self._queues.succeed(queue, predecessor.queue_id),
            )
        except Exception as error:
            self._count(predecessor, "failed")
            self._log.error("queue regeneration failed", domain=domain, exc_info=error)
            return
        self._count(predecessor, "stored" if stored else "overtaken")

    def _count(self, predecessor: QueueRecord, result: str) -> None:
        self._metrics.regenerations.labels(predecessor.key.domain, result).inc()
