"""A circuit breaker: whoever has failed several times in a row is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum


class Circuit(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Every call."""
    OPEN = "open"
    """None."""
    HALF_OPEN = "half_open"
    """One, which decides."""


class CircuitBreaker:
    """Counts failures in a row; used in one event loop."""

    def __init__(
        self, failures_to_open: int, open_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._opened_at_s: float | None = None
        self._trial_since_s: float | None = None

    @property
    def circuit(self) -> Circuit:
        """What a call would meet now."""
        if self._opened_at_s is None:
            return Circuit.CLOSED
        waited = self._clock() - self._opened_at_s >= self._open_s
        return Circuit.HALF_OPEN if waited else Circuit.OPEN

    def allows(self) -> bool:
        """Whether a call may be made now; who is allowed must tell how it went."""
        circuit = self.circuit
        if circuit is not Circuit.HALF_OPEN:
            return circuit is Circuit.CLOSED
        now_s = self._clock()
        # A trial whose caller was cancelled never tells: another may try after a while.
        if self._trial_since_s is not None and now_s - self._trial_since_s < self._open_s:
            return False
        self._trial_since_s = now_s
        return True

    def succeeded(self) -> None:
        """The call was answered."""
        self._failures = 0
        self._opened_at_s = self._trial_since_s = None

    def failed(self) -> None:
        """The call was not answered."""
        self._failures += 1
        self._trial_since_s = None
        if self._opened_at_s is not None or self._failures >= self._failures_to_open:
            self._opened_at_s = self._clock()
