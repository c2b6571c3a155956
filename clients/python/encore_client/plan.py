"""The course of one call: its id, its deadline, and whether a failed attempt is made again."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence

import grpc

from encore_client.errors import Failure, error_of, read_failure
from encore_client.options import RetryPolicy

REQUEST_ID_HEADER = "x-request-id"
MAX_REQUEST_ID_BYTES = 128


class CallPlan:
    """One call and its attempts, without the I/O: the sync and the asyncio client both follow it.

    Every method of the API is safe to send again: Score, GenreNeighbor and later pages of
    Recommend only read; a repeated first page of Recommend leaves one more stored answer that
    nobody refers to; Feedback counts an event_id once, and no event is without one. So what
    decides is the code alone. UNAVAILABLE says that the server was not reached or not ready, and
    RESOURCE_EXHAUSTED with a RetryInfo says when there will be room; any other code would only
    come again, or, as DEADLINE_EXCEEDED, leaves no time.
    """

    def __init__(
        self,
        method: str,
        *,
        timeout_s: float,
        retry: RetryPolicy,
        request_id: str = "",
        metadata: Sequence[tuple[str, str]] = (),
        clock: Callable[[], float] = time.monotonic,
        luck: Callable[[], float] = random.random,
    ) -> None:
        """Starts the clock of the call.

        Args:
            method: Name of the method, for errors.
            timeout_s: Longest time of the whole call in seconds.
            retry: How often and how far apart attempts are made.
            request_id: Made up when empty.
            metadata: Sent with every attempt, beside the request id.
            clock: Seconds, never going back.
            luck: Random numbers in [0, 1).

        Raises:
            ValueError: The timeout is not above 0, or the request id cannot be a header.
        """
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0 seconds, got {timeout_s}")
        self.request_id = _checked(request_id) or str(uuid.uuid4())
        self.metadata = (*metadata, (REQUEST_ID_HEADER, self.request_id))
        self._method = method
        self._retry = retry
        self._clock = clock
        self._luck = luck
        self._ends_at_s = clock() + timeout_s
        self._attempts = 0

    def next_timeout_s(self) -> float:
        """Counts an attempt and returns the time that it has: all that the deadline leaves."""
        self._attempts += 1
        # A timeout of 0 or less would never be sent; gRPC answers the smallest at once instead.
        return max(self._ends_at_s - self._clock(), 0.001)

    def wait_after(self, error: grpc.RpcError) -> float:
        """Returns how long to wait before the next attempt, in seconds.

        Args:
            error: What the last attempt raised.

        Raises:
            EncoreClientError: No attempt follows: the code forbids it, all attempts are made, or
                the wait would outlast the deadline.
        """
        failure = read_failure(
            error, method=self._method, request_id=self.request_id, attempts=self._attempts
        )
        wait_s = self._wait_s(failure)
        if wait_s is None or wait_s >= self._ends_at_s - self._clock():
            raise error_of(failure) from error
        return wait_s

    def _wait_s(self, failure: Failure) -> float | None:
        if self._attempts >= self._retry.attempts:
            return None
        told_s = failure.retry_after_s
        if failure.code is grpc.StatusCode.UNAVAILABLE and told_s is None:
            return self._retry.wait_s(self._attempts, self._luck())
        if told_s is not None and failure.code in _MADE_AGAIN_WHEN_TOLD:
            return self._retry.wait_when_told_s(told_s, self._attempts, self._luck())
        return None


_MADE_AGAIN_WHEN_TOLD = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})


def _checked(request_id: str) -> str:
    printable = request_id.isascii() and request_id.isprintable()
    if printable and request_id == request_id.strip() and len(request_id) <= MAX_REQUEST_ID_BYTES:
        return request_id
    raise ValueError(
        f"request_id must be at most {MAX_REQUEST_ID_BYTES} printable ASCII characters without "
        f"outer spaces, got {request_id!r}"
    )
