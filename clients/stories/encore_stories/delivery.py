"""Takes feedback from the outbox to Encore: at once when it can, later when it must."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from cachetools import LRUCache

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
REFUSED_REMEMBERED = 1_000
PATIENCE_S = 0.5
"""A caller waits no longer to hear that their event was delivered."""


class Fate(StrEnum):
    """Where an event is."""

    DELIVERED = "delivered"
    QUEUED = "queued"
    """On disk, until Encore can be reached."""
    REFUSED = "refused"
    """Encore can never store it: gone."""


class Delivery:
    """Stores events and delivers them in order; one runs for an outbox."""

    def __init__(
        self, outbox: Outbox, encore: AsyncEncoreClient, breaker: CircuitBreaker, every_s: float
    ) -> None:
        self._outbox = outbox
        self._encore = encore
        self._breaker = breaker
        self._every_s = every_s
        self._refused: LRUCache[str, str] = LRUCache(REFUSED_REMEMBERED)
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
                refused = event.event_id in self._refused
                return Fate.REFUSED if refused else Fate.DELIVERED
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
            await asyncio.wait({self._round()})
            await asyncio.sleep(self._every_s)

    def _round(self) -> asyncio.Task[bool]:
        """The round under way, or a new one: two at once would send the same events."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._empty_outbox(), name="feedback round")
            self._running.add_done_callback(_tell_failure)
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
            # Bad events are rejected one by one: this is about the call, such as a domain that
            # Encore does not serve yet. What users did must outlive that.
            self._breaker.succeeded()
            log.error("feedback waits: %s", error)
            return False
        except EncoreClientError as error:
            self._breaker.failed()
            log.warning("feedback waits: %s", error)
            return False
        self._breaker.succeeded()
        timeless: list[FeedbackEvent] = []
        for each in receipt.rejected:
            event = events[each.index]
            if event.occurred_at is None:
                self._forget(event, each.reason)
            else:
                # A clock of ours that runs ahead must lose nothing: so it counts as of now.
                timeless.append(replace(event, occurred_at=None))
        return not timeless or await self._send(timeless)

    def _forget(self, event: FeedbackEvent, reason: str) -> None:
        log.error("Encore refused %s: %s", event, reason)
        self._refused[event.event_id] = reason


def _tell_failure(ended: asyncio.Task[bool]) -> None:
    """What waits is on disk: the next round tries again."""
    if not ended.cancelled() and (error := ended.exception()) is not None:
        log.error("feedback could not be delivered", exc_info=error)
