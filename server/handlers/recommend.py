"""Recommend: a first page is ranked or read from the stored queue, later pages are cut from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from core.errors import StalePageTokenError
from core.requests import Engine, RankedItem, RecommendRequest
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.metrics import Metrics
from server.pages import Page, PageTokens, model_digest
from server.ports import (
    QueueRecord,
    QueueStore,
    RecommendationRecord,
    RecommendationStore,
    ShownItem,
)
from server.queueing import Origin, Queueing
from server.regeneration import Regeneration
from server.serving import Serving


@dataclass(frozen=True)
class PageRequest:
    """What a caller asks; `request.size` and `request.queued_ids` are set here."""

    domain: str
    request: RecommendRequest
    size: int
    """Items in the page, 1 to 100."""
    token: str = ""
    """Empty for a first page."""
    from_queue: bool = False
    """Whether a first page may come from the stored queue; else it is ranked now."""
    validate_only: bool = False
    include_media: bool = False


@dataclass(frozen=True)
class PageAnswer:
    """One page of a queue."""

    model_version: str
    """The model that ranked the queue, which need not be the one in service now."""
    recommendation_id: str = ""
    """Empty when the request was only validated."""
    items: tuple[tuple[int, RankedItem], ...] = ()
    """(rank from 1 in the whole queue, item), best first."""
    next_token: str = ""
    """Empty at the end of the queue."""
    fallbacks: tuple[str, ...] = ()


class RecommendHandler:
    """Answers Recommend.

    A queue is immutable, so later pages come from the version that their token names, also after
    a hot swap: a list that changed half way would repeat items. Only the check of what was met or
    disliked meanwhile asks the engine in service.
    """

    def __init__(
        self,
        serving: Serving,
        scoring: BoundedExecutor,
        database: BoundedExecutor,
        queues: QueueStore,
        recommendations: RecommendationStore,
        tokens: PageTokens,
        metrics: Metrics,
        queueing: Queueing,
        regeneration: Regeneration,
    ) -> None:
        self._serving = serving
        self._scoring = scoring
        self._database = database
        self._queues = queues
        self._recommendations = recommendations
        self._tokens = tokens
        self._metrics = metrics
        self._queueing = queueing
        self._regeneration = regeneration

    async def page(self, ask: PageRequest, deadline: Deadline) -> PageAnswer:
        """One page.

        Raises:
            InvalidRequestError: the token is not for this request.
            StalePageTokenError: a newer first page has replaced the queue, or it is too old.
        """
        engine = self._serving.engine(ask.domain)
        request = self._queueing.sized(ask.request)
        page = self._tokens.read(ask.token, ask.domain, request) if ask.token else None
        if ask.validate_only:
            return await self._validated(engine, request, deadline)
        if page is not None:
            return await self._later(engine, ask, page, deadline)
        if ask.from_queue:
            return await self._from_queue(engine, ask, request, deadline)
        # Explicit candidates are all that is ranked: what was kept for next adds nothing.
        known = not request.candidate_ids
        last = await self._queueing.last(ask.domain, request, deadline) if known else None
        self._metrics.first_pages.labels(ask.domain, Origin.LIVE).inc()
        return await self._ranked(engine, ask, request, last, deadline)

    async def _validated(
        self, engine: Engine, request: RecommendRequest, deadline: Deadline
    ) -> PageAnswer:
        # An engine checks the fields before anything else and ranks nothing for size 0.
        nothing = replace(request, size=0)
        now_s = self._serving.now_s(engine)
        await self._scoring.run("validate", deadline, lambda: engine.recommend(nothing, now_s))
        return PageAnswer(engine.model_version)

    async def _from_queue(
        self, engine: Engine, ask: PageRequest, request: RecommendRequest, deadline: Deadline
    ) -> PageAnswer:
        """Read the stored queue, or rank one where it will not do."""
        last = await self._queueing.last(ask.domain, request, deadline)
        origin, left = self._queueing.judged(engine, request, last), list[int]()
        if origin is Origin.QUEUE and last is not None:
            left = await self._queueing.allowed(engine, request, last, 0, deadline)
            if self._queueing.is_short(request, last, len(left), ask.size):
                origin = Origin.TOO_SHORT
        self._metrics.first_pages.labels(ask.domain, origin).inc()
        if origin is not Origin.QUEUE or last is None:
            return await self._ranked(engine, ask, request, last, deadline)
        answer = await self._remembered(ask, last, left, deadline)
        if self._queueing.runs_low(request, last, len(left)):
            self._regeneration.begin(request, last)
        return answer

    async def _ranked(
        self,
        engine: Engine,
        ask: PageRequest,
        request: RecommendRequest,
        last: QueueRecord | None,
        deadline: Deadline,
    ) -> PageAnswer:
        """Rank now, and store the list as the user's queue."""
        queue = await self._queueing.rank(engine, request, last, deadline)
        answer = self._cut(queue, range(len(queue.items)), ask.size)
        shown = self._shown(ask, queue, answer)

        def store() -> None:
            # A caller who asks for the queue does not mean to end the pages of the one before.
            # Whoever comes second after the same queue replaces the first: the token that is on
            # its way must lead somewhere.
            kept = last if ask.from_queue else None
            if kept is None or not self._queues.succeed(queue, kept.queue_id):
                self._queues.put(queue)
            self._recommendations.add(shown)

        await self._database.run("queue_write", deadline, store)
        return answer

    async def _later(
        self, engine: Engine, ask: PageRequest, page: Page, deadline: Deadline
    ) -> PageAnswer:
        queue = await self._database.run(
            "queue_read", deadline, lambda: self._queues.version(page.key, page.queue_id)
        )
        if queue is None:
            raise StalePageTokenError(
                "the list was replaced by a newer one or is too old: ask for a first page again"
            )
        if model_digest(queue.model_version) != page.model:
            raise StalePageTokenError(
                f"the list is of model {queue.model_version!r}, the token of another: "
                "ask for a first page again"
            )
        positions = await self._queueing.allowed(engine, ask.request, queue, page.offset, deadline)
        return await self._remembered(ask, queue, positions, deadline)

    async def _remembered(
        self, ask: PageRequest, queue: QueueRecord, positions: Sequence[int], deadline: Deadline
    ) -> PageAnswer:
        """Cut a page of a stored queue and keep it as a recommendation."""
        answer = self._cut(queue, positions, ask.size)
        shown = self._shown(ask, queue, answer)
        await self._database.run(
            "recommendation_write", deadline, lambda: self._recommendations.add(shown)
        )
        return answer

    def _cut(self, queue: QueueRecord, positions: Sequence[int], size: int) -> PageAnswer:
        """The first `size` positions; the next page begins at the position after them."""
        more = positions[size : size + 1]
        model = model_digest(queue.model_version)
        return PageAnswer(
            queue.model_version,
            recommendation_id=uuid4().hex,
            items=tuple((position + 1, queue.items[position]) for position in positions[:size]),
            next_token=self._tokens.write(Page(queue.queue_id, more[0], queue.key, model))
            if more
            else "",
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
            tuple(
                ShownItem(
                    item.object_id,
                    rank,
                    item.probability,
                    item.propensity,
                    item.choices,
                    item.passed_over,
                )
                for rank, item in answer.items
            ),
            queue.seed,
        )
