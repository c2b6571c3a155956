"""WhyNot: where objects leave the list that a Recommend would rank now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from core.errors import FieldViolation, InvalidRequestError
from core.fates import WhyNot
from core.requests import RecommendRequest
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.queueing import Queueing, with_queued
from server.serving import Serving


@dataclass(frozen=True)
class WhyNotQuery:
    """A Recommend, and what to follow through it."""

    domain: str
    request: RecommendRequest
    object_ids: tuple[str, ...]


@dataclass(frozen=True)
class FatesTold:
    """What became of the objects, and the model that ranked."""

    answer: WhyNot
    model_version: str


class WhyNotHandler:
    """Answers WhyNot: ranks as a live first page does, stores nothing."""

    def __init__(self, serving: Serving, scoring: BoundedExecutor, queueing: Queueing) -> None:
        self._serving = serving
        self._scoring = scoring
        self._queueing = queueing

    async def tell(self, ask: WhyNotQuery, deadline: Deadline) -> FatesTold:
        """Follow the objects.

        Raises:
            InvalidRequestError: names a field of the request.
        """
        engine = self._serving.engine(ask.domain)
        request = self._queueing.sized(ask.request)
        last = await self._queueing.last(ask.domain, request, deadline)
        # Draws would hide what the stages decide, and be others at the next first page.
        queued = replace(with_queued(request, last), exploration=0.0)
        now_s = self._serving.now_s(engine)
        with naming_the_request():
            answer = await self._scoring.run(
                "why_not", deadline, lambda: engine.why_not(queued, ask.object_ids, now_s)
            )
        return FatesTold(answer, engine.model_version)


@contextmanager
def naming_the_request() -> Iterator[None]:
    """Name fields as they stand in the message: below `request`."""
    try:
        yield
    except InvalidRequestError as error:
        below = [FieldViolation(f"request.{v.field}", v.description) for v in error.violations]
        raise InvalidRequestError(below) from error
