"""Takes feedback from the outbox to Encore: at once when it can, later when it must."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from enum import StrEnum

from encore_client import (
    AsyncEncoreClient,
    EncoreClientError,
    FeedbackEvent,
    InvalidRequestError,
)
from encore_stories.breaker import CircuitBreaker
from encore_stories.outbox import Outbox

log = logging.getLogger(__name__)
BATCH = 200
TIMEOUT_S = 5.0
PATIENCE_S = 0.5
"""A caller waits no longer to hear that their event was delivered."""


class Fate(StrEnum):
    """Where an event is."""

    DELIVERED = "delivered"
    QUEUED = "queued"
    """On disk, until Encore can be reached."""


class Delivery:
    """Stores events and delivers them in order; one runs for an outbox."""

    def __init__(
        self, outbox: Outbox, encore: AsyncEncoreClient, breaker: CircuitBreaker, every_s: float
    ) -> None:
        self._outbox = outbox
        self._encore = encore
        self._breaker = breaker
        self._every_s = every_s
        self._running: asyncio.Task[bool] | None = None
        self._rounds: asyncio.Task[None] | None = None

    async def accept(self, event: FeedbackEvent) -> Fate:
        """Make an event durable, then give delivery a moment.

        Raises:
            OutboxFullError: there is no room for it.
        """
        await asyncio.to_thread(self._outbox.add, event)
        # A round that is under way may have looked before the event came: then one more.
        for _ in range(2):
            await asyncio.wait({self._round()}, timeout=PATIENCE_S)
            if not await asyncio.to_thread(self._outbox.holds, event.event_id):
                return Fate.DELIVERED
        return Fate.QUEUED

    async def deliver(self) -> bool:
        """Deliver what waits; whether nothing waits any more."""
        # Another caller may leave: the round is theirs too.
        return await asyncio.shield(self._round())

    def start(self) -> None:
        """Begin to try again and again, in the running event loop."""
        self._rounds = asyncio.create_task(self._try_for_ever(), name="feedback delivery")

    async def stop(self) -> None:
        """End the tries; what waits stays on disk."""
        tasks = [task for task in (self._rounds, self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _try_for_ever(self) -> None:
        while True:
            try:
                await self.deliver()
            except Exception:
                log.exception("feedback could not be delivered")
            await asyncio.sleep(self._every_s)

    def _round(self) -> asyncio.Task[bool]:
        """The round under way, or a new one: two at once would send the same events."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._empty_outbox(), name="feedback round")
        return self._running

    async def _empty_outbox(self) -> bool:
        while events := await asyncio.to_thread(self._outbox.first, BATCH):
            if not await self._send(events):
                return False
            await asyncio.to_thread(self._outbox.remove, events)
        return True

    async def _send(self, events: Sequence[FeedbackEvent]) -> bool:
        """Whether Encore has said what became of all events; none needs to be sent again then."""
        if not self._breaker.allows():
            return False
        try:
            receipt = await self._encore.feedback(events, timeout_s=TIMEOUT_S)
        except InvalidRequestError as error:
            self._breaker.succeeded()
            return await self._send_apart(events, error)
        except EncoreClientError as error:
            self._breaker.failed()
            log.warning("feedback waits: %s", error)
            return False
        self._breaker.succeeded()
        for refused in receipt.rejected:
            log.error("Encore refused %s: %s", events[refused.index], refused.reason)
        return True

    async def _send_apart(
        self, events: Sequence[FeedbackEvent], error: InvalidRequestError
    ) -> bool:
        """One event that spoils its batch must not hold up the others for ever."""
        if len(events) == 1:
            log.error("Encore refused %s: %s", events[0], error)
            return True
        for event in events:
            if not await self._send([event]):
                return False
        return True
