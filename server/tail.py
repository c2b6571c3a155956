"""Follows the feedback log: the only way in which a live state changes."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from core.requests import Engine
from server.ports import FeedbackLog

BATCH = 1000
"""Rows read at a time."""


class FeedbackTail:
    """Puts the rows of one domain into its engine, in log order, each once."""

    def __init__(self, domain: str, engine: Callable[[], Engine], log: FeedbackLog) -> None:
        """`engine` is asked at each catch-up, for it may have been replaced."""
        self._domain = domain
        self._engine = engine
        self._log = log
        self._lock = Lock()

    def catch_up(self) -> int:
        """Apply every row that is in the log now; how many there were.

        Blocks; callers that come meanwhile wait, and find their rows applied.
        """
        with self._lock:
            return self._apply_new(self._engine())

    def hand_over(self, successor: Engine, put: Callable[[], None]) -> None:
        """Bring a new engine from its own watermark to the end of the log, then call `put`.

        No row is applied between the two, so the successor has seen all that its predecessor had.
        """
        self._apply_new(successor)  # most of it while the predecessor still follows the log
        with self._lock:
            self._apply_new(successor)
            put()

    def _apply_new(self, engine: Engine) -> int:
        applied = 0
        while rows := self._log.read_after(self._domain, engine.watermark, BATCH):
            for row in rows:
                engine.apply(row)
            if engine.watermark < rows[-1].sequence:
                raise RuntimeError(
                    f"{self._domain}: the engine's watermark {engine.watermark} did not reach "
                    f"the applied row {rows[-1].sequence}"
                )
            applied += len(rows)
        return applied
