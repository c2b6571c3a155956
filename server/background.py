"""Work that comes round: following other replicas' feedback, sweeping old queues."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.logs import Log


class Periodic:
    """Does a job every so many seconds; a failure is logged and the next round comes all the same.

    Zero seconds mean never.
    """

    def __init__(
        self, name: str, every_s: float, job: Callable[[], Awaitable[object]], log: Log
    ) -> None:
        self._name = name
        self._every_s = every_s
        self._job = job
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin the rounds."""
        if self._every_s > 0:
            self._task = asyncio.create_task(self._rounds(), name=self._name)

    async def stop(self) -> None:
        """End the rounds; a job that is under way is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._job()
            except Exception as error:
                self._log.error("background job failed", job=self._name, exc_info=error)
