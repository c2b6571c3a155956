"""Threads behind the event loop with a waiting line of known length."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

from core.errors import OverloadedError
from server.deadline import Deadline

T = TypeVar("T")


class BoundedExecutor:
    """A fixed number of threads; callers wait in the event loop, at most `waiting` of them.

    Work handed to a thread pool cannot be taken back, so the line stands before the pool: a call
    that is cancelled or late leaves the line and its work never starts.
    """

    def __init__(
        self,
        name: str,
        *,
        workers: int,
        waiting: int,
        retry_after_s: float,
        observe: Callable[[str, float], None],
    ) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=f"encore-{name}")
        self._free = asyncio.Semaphore(workers)
        self._limit = waiting
        self._retry_after_s = retry_after_s
        self._observe = observe
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many calls stand in the line."""
        return self._waiting

    async def run(self, stage: str, deadline: Deadline, work: Callable[[], T]) -> T:
        """The result of `work`, done in a thread.

        Raises:
            OverloadedError: the line is full.
            DeadlineExceededError: the deadline passed in the line; the work did not start.
        """
        if self._free.locked() and self._waiting >= self._limit:
            raise OverloadedError(self._retry_after_s)
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            deadline.check(stage)
            running = self._pool.submit(self._timed, stage, work)
        except BaseException:
            self._free.release()
            raise
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        # One wake-up of the loop for both: the thread is given back when its work is done, even
        # when the caller has left, and the caller who has not gets the result.
        def finish() -> None:
            self._free.release()
            if not answer.done():
                error = running.exception()
                if error is None:
                    answer.set_result(running.result())
                else:
                    answer.set_exception(error)

        running.add_done_callback(lambda _: loop.call_soon_threadsafe(finish))
        return await answer

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        started = perf_counter()
        try:
            return work()
        except StopIteration as error:  # the one error that a future cannot carry
            raise RuntimeError(f"{stage} ran out of an iterator") from error
        finally:
            self._observe(stage, perf_counter() - started)

    async def close(self) -> None:
        """Wait for running work; nothing can be run afterwards."""
        await asyncio.to_thread(self._pool.shutdown)
