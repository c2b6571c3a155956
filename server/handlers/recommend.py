"""Recommend: a first page ranks and stores a queue, later pages are cut from the same queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import numpy as np

from core.errors import StalePageTokenError
from core.requests import Engine, RankedItem, RecommendRequest
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.metrics import Metrics
from server.pages import Page, PageTokens, fingerprint, user_key
from server.ports import (
    QueueKey,
    QueueRecord,
    QueueStore,
    RecommendationRecord,
    RecommendationStore,
    ShownItem,
)
from server.serving import Serving


@dataclass(frozen=True)
class PageRequest:
    """What a caller asks; `request.size` is not theirs and is set here."""

    domain: str
    request: RecommendRequest
    size: int
    """Items in the page, 1 to 100."""
    token: str = ""
    """Empty for a first page."""
    validate_only: bool = False
    include_media: bool = False


@dataclass(frozen=True)
class PageAnswer:
    """One page of a queue."""

    model_version: str
    recommendation_id: str = ""
    """Empty when the request was only validated."""
    items: tuple[tuple[int, RankedItem], ...] = ()
    """(rank from 1 in the whole queue, item), best first."""
    next_token: str = ""
    """Empty at the end of the queue."""
    fallbacks: tuple[str, ...] = ()


class RecommendHandler:
    """Answers Recommend."""

    def __init__(
        self,
        serving: Serving,
        scoring: BoundedExecutor,
        database: BoundedExecutor,
        queues: QueueStore,
        recommendations: RecommendationStore,
        tokens: PageTokens,
        metrics: Metrics,
        queue_size: int,
        story_ttl_s: float,
    ) -> None:
        self._serving = serving
        self._scoring = scoring
        self._database = database
        self._queues = queues
        self._recommendations = recommendations
        self._tokens = tokens
        self._metrics = metrics
        self._queue_size = queue_size
        self._story_ttl_s = story_ttl_s

    async def page(self, ask: PageRequest, deadline: Deadline) -> PageAnswer:
        """One page.

        Raises:
            InvalidRequestError: the token is not for this request.
            StalePageTokenError: a newer first page has replaced the queue, or it is too old.
        """
        engine = self._serving.engine(ask.domain)
        # Explicit candidates are ranked all of them: the caller asked about exactly these.
        size = max(self._queue_size, len(ask.request.candidate_ids))
        request = replace(ask.request, size=size)
        page = self._tokens.read(ask.token, ask.domain, request) if ask.token else None
        if ask.validate_only:
            return await self._validated(engine, request, deadline)
        if page is not None:
            return await self._later(engine, ask, page, deadline)
        picked = await self._picked(engine, ask, request, deadline)
        return picked or await self._first(engine, ask, request, deadline)

    async def _validated(
        self, engine: Engine, request: RecommendRequest, deadline: Deadline
    ) -> PageAnswer:
        # An engine checks the fields before anything else and ranks nothing for size 0.
        nothing = replace(request, size=0)
        now_s = self._serving.now_s(engine)
        await self._scoring.run("validate", deadline, lambda: engine.recommend(nothing, now_s))
        return PageAnswer(engine.model_version)

    async def _first(
        self, engine: Engine, ask: PageRequest, request: RecommendRequest, deadline: Deadline
    ) -> PageAnswer:
        now_s = self._serving.now_s(engine)
        slate = await self._scoring.run(
            "recommend", deadline, lambda: engine.recommend(request, now_s)
        )
        self._metrics.fallbacks.labels(ask.domain).inc(len(slate.fallbacks))
        key = QueueKey(
            ask.domain, user_key(request.user.id, anonymous=uuid4().hex), fingerprint(request)
        )
        queue = QueueRecord(
            key,
            queue_id=uuid4().hex,
            model_version=engine.model_version,
            created_at_s=self._serving.wall_s(),
            items=slate.items,
            fallbacks=slate.fallbacks,
        )
        answer = self._cut(queue, range(len(queue.items)), ask.size)
        shown = self._shown(ask, queue, answer)

        def store() -> None:
            self._queues.put(queue)
            self._recommendations.add(shown)

        await self._database.run("queue_write", deadline, store)
        return answer

    async def _picked(
        self, engine: Engine, ask: PageRequest, request: RecommendRequest, deadline: Deadline
    ) -> PageAnswer | None:
        """What this story got for this user a short time ago; None when it must be picked now."""
        if request.story is None or not request.user.id or not self._story_ttl_s:
            return None
        key = QueueKey(ask.domain, user_key(request.user.id, anonymous=""), fingerprint(request))
        queue = await self._database.run("queue_read", deadline, lambda: self._queues.get(key))
        oldest_s = self._serving.wall_s() - self._story_ttl_s
        if (
            queue is None
            or queue.created_at_s < oldest_s
            or queue.model_version != engine.model_version
        ):
            return None
        try:
            answer = await self._later(engine, ask, Page(queue.queue_id, 0, key), deadline)
        except StalePageTokenError:  # replaced meanwhile
            return None
        return answer if answer.items else None

    async def _later(
        self, engine: Engine, ask: PageRequest, page: Page, deadline: Deadline
    ) -> PageAnswer:
        queue = await self._database.run("queue_read", deadline, lambda: self._queues.get(page.key))
        if queue is None or queue.queue_id != page.queue_id:
            raise StalePageTokenError(
                "the list was replaced by a newer one or is too old: ask for a first page again"
            )
        rest = [item.object_id for item in queue.items[page.offset :]]
        allowed = await self._scoring.run(
            "still_allowed", deadline, lambda: engine.still_allowed(ask.request.user.id, rest)
        )
        positions = [page.offset + int(place) for place in np.flatnonzero(allowed)]
        answer = self._cut(queue, positions, ask.size)
        shown = self._shown(ask, queue, answer)
        await self._database.run(
            "recommendation_write", deadline, lambda: self._recommendations.add(shown)
        )
        return answer

    def _cut(self, queue: QueueRecord, positions: Sequence[int], size: int) -> PageAnswer:
        """The first `size` positions; the next page begins at the position after them."""
        more = positions[size : size + 1]
        return PageAnswer(
            queue.model_version,
            recommendation_id=uuid4().hex,
            items=tuple((position + 1, queue.items[position]) for position in positions[:size]),
            next_token=self._tokens.write(Page(queue.queue_id, more[0], queue.key)) if more else "",
            fallbacks=queue.fallbacks,
        )

    def _shown(
        self, ask: PageRequest, queue: QueueRecord, answer: PageAnswer
    ) -> RecommendationRecord:
        return RecommendationRecord(
            answer.recommendation_id,
            ask.domain,
            ask.request.user.id,
            queue.queue_id,
            queue.model_version,
            self._serving.wall_s(),
            tuple(ShownItem(item.object_id, rank, item.probability) for rank, item in answer.items),
        )
