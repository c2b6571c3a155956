"""Score: probabilities from the engine's threads."""

from __future__ import annotations

from dataclasses import dataclass

from core.requests import ScoreAnswer, ScoreRequest
from core.state.columns import FeatureBatch
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.metrics import Metrics
from server.serving import Serving


@dataclass(frozen=True)
class Scored:
    """An answer and the model that gave it."""

    answer: ScoreAnswer
    model_version: str


@dataclass(frozen=True)
class Features:
    """What the members would see, and the model whose state was read."""

    batch: FeatureBatch
    model_version: str


class ScoreHandler:
    """Answers Score, and DebugFeatures, which shows what Score would look at."""

    def __init__(self, serving: Serving, scoring: BoundedExecutor, metrics: Metrics) -> None:
        self._serving = serving
        self._scoring = scoring
        self._metrics = metrics

    async def score(self, domain: str, request: ScoreRequest, deadline: Deadline) -> Scored:
        """Score objects for a user."""
        engine = self._serving.engine(domain)
        now_s = self._serving.now_s(engine)
        answer = await self._scoring.run("score", deadline, lambda: engine.score(request, now_s))
        self._metrics.scored.labels(domain, engine.model_version).inc(len(answer.object_ids))
        return Scored(answer, engine.model_version)

    async def features(self, domain: str, request: ScoreRequest, deadline: Deadline) -> Features:
        """The features of the same request."""
        engine = self._serving.engine(domain)
        now_s = self._serving.now_s(engine)
        batch = await self._scoring.run(
            "features", deadline, lambda: engine.features(request, now_s)
        )
        return Features(batch, engine.model_version)
