"""What both clients keep of their constructor, and the plans that they make of it."""

from __future__ import annotations

from dataclasses import dataclass

from encore_client.options import NO_RETRIES, ClientOptions
from encore_client.plan import CallPlan


@dataclass(frozen=True)
class CallSettings:
    """What is the same for all calls of a client."""

    metadata: tuple[tuple[str, str], ...]
    options: ClientOptions

    def plan(
        self, method: str, default_s: float, timeout_s: float | None, request_id: str
    ) -> CallPlan:
        """Starts a call.

        Args:
            method: Name of the method, for errors.
            default_s: Deadline of the method in seconds.
            timeout_s: The caller's own deadline, or None.
            request_id: The caller's own id, or empty.

        Raises:
            ValueError: The timeout is not above 0, or the request id cannot be a header.
        """
        return CallPlan(
            method,
            timeout_s=default_s if timeout_s is None else timeout_s,
            retry=self.options.retry,
            request_id=request_id,
            metadata=self.metadata,
        )

    def health_plan(self, timeout_s: float | None) -> CallPlan:
        """Starts a health check: sent once, for it asks about this moment."""
        return CallPlan(
            "Check",
            timeout_s=self.options.deadlines.health_s if timeout_s is None else timeout_s,
            retry=NO_RETRIES,
            metadata=self.metadata,
        )
