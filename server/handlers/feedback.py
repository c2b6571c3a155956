"""Feedback: good events are stored for good and are in the state before the call returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.requests import Engine, FeedbackEvent
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.metrics import Metrics
from server.ports import FeedbackLog, NewFeedback
from server.serving import Serving
from server.tail import FeedbackTail

INVALID_OUTCOME = "invalid"
"""Label of events whose outcome could not be read: callers must not be able to grow the series."""


@dataclass(frozen=True)
class Rejection:
    """An event that can never be stored."""

    index: int
    """Its place in the request, from 0."""
    reason: str


@dataclass(frozen=True)
class FeedbackCall:
    """The events of a call that could be read, by their place in it, and those that could not."""

    readable: Mapping[int, NewFeedback]
    """Ascending by place."""
    unreadable: Sequence[Rejection] = ()


@dataclass(frozen=True)
class FeedbackAnswer:
    """What became of the events."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejection, ...]
    """Ascending by index."""
    model_version: str


class FeedbackHandler:
    """Answers Feedback."""

    def __init__(
        self,
        serving: Serving,
        database: BoundedExecutor,
        log: FeedbackLog,
        tails: Mapping[str, FeedbackTail],
        metrics: Metrics,
        clock_skew_s: float,
    ) -> None:
        self._serving = serving
        self._database = database
        self._log = log
        self._tails = tails
        self._metrics = metrics
        self._clock_skew_s = clock_skew_s

    async def store(self, domain: str, call: FeedbackCall, deadline: Deadline) -> FeedbackAnswer:
        """Check each event, store the good ones, catch up the engine, answer."""
        engine = self._serving.engine(domain)
        # One piece of work: what is durable is in the state too, even if the caller leaves.
        answer = await self._database.run(
            "feedback", deadline, lambda: self._check_and_append(engine, call)
        )
        for _ in call.unreadable:
            self._count(domain, INVALID_OUTCOME, "rejected")
        return answer

    def _check_and_append(self, engine: Engine, call: FeedbackCall) -> FeedbackAnswer:
        now_s = self._serving.now_s(engine)
        problems = {
            index: problem
            for index, event in call.readable.items()
            if (problem := self._problem(engine, event, now_s)) is not None
        }
        good = [event for index, event in call.readable.items() if index not in problems]
        with engine.holding_clock():
            stored = self._log.append(engine.domain, good, engine.clock_s, now_s)
            self._tails[engine.domain].catch_up()
        for index in problems:
            self._count(engine.domain, call.readable[index].outcome, "rejected")
        for row in stored.accepted:
            self._count(engine.domain, good[row].outcome, "accepted")
        for row in stored.duplicates:
            self._count(engine.domain, good[row].outcome, "duplicate")
        rejected = [*call.unreadable, *(Rejection(*problem) for problem in problems.items())]
        return FeedbackAnswer(
            accepted=len(stored.accepted),
            duplicates=len(stored.duplicates),
            rejected=tuple(sorted(rejected, key=lambda rejection: rejection.index)),
            model_version=engine.model_version,
        )

    def _problem(self, engine: Engine, event: NewFeedback, now_s: float) -> str | None:
        occurred_at_s = now_s if event.occurred_at_s is None else event.occurred_at_s
        if occurred_at_s > now_s + self._clock_skew_s:
            ahead_s = occurred_at_s - now_s
            return (
                f"occurred_at: lies {ahead_s:.0f} s in the future, at most {self._clock_skew_s:g} "
                "are forgiven: set the caller's clock"
            )
        return engine.check_feedback(
            FeedbackEvent(
                sequence=0,  # it has no place in the log yet
                user_id=event.user_id,
                object_id=event.object_id,
                outcome=event.outcome,
                log_time_s=max(min(occurred_at_s, now_s), engine.clock_s),
                context=event.context,
            )
        )

    def _count(self, domain: str, outcome: str, result: str) -> None:
        self._metrics.feedback.labels(domain, str(outcome), result).inc()
