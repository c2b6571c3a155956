"""How long a caller still waits: asked between stages, so that nobody works for callers gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from core.errors import EncoreError


class DeadlineExceededError(EncoreError):
    """The caller's deadline passed before the work began; it was dropped."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"the deadline passed before {stage} began: allow more time")


class HasTimeRemaining(Protocol):
    """The part of a gRPC context that a deadline needs."""

    def time_remaining(self) -> float | None:
        """Seconds left, or None without a deadline."""
        ...


class Deadline:
    """The moment after which the answer is of no use."""

    def __init__(self, remaining_s: Callable[[], float | None]) -> None:
        self._remaining_s = remaining_s

    @classmethod
    def of(cls, context: HasTimeRemaining) -> Deadline:
        """The deadline of a call."""
        return cls(context.time_remaining)

    def check(self, stage: str) -> None:
        """Raise DeadlineExceededError if it has passed; `stage` is what would begin now."""
        remaining = self._remaining_s()
        if remaining is not None and remaining <= 0:
            raise DeadlineExceededError(stage)


NO_DEADLINE = Deadline(lambda: None)
"""For the server's own work."""
