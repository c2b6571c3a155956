"""Every domain with a small log, and the smallest bundle that is trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

from core.content import ContentVectors
from core.domain import Domain
from core.engine import DomainEngine, load_bundle
from core.log import INTERACTIONS, EventLog, Outcome
from core.models import Compute
from core.publish import evaluate_log, publish
from core.readers import read_log
from core.requests import FeedbackEvent, ScoreRequest, UserRef
from core.testing_logs import random_content
from domains import DOMAINS

EVENTS: Mapping[str, int] = {"music": 2500, "shopping": 4000, "travel": 8000}
"""So few that a domain takes seconds."""
NOW_S = 3600.0
WITH_CONTENT = " with content"
VARIANTS = (*sorted(DOMAINS), f"music{WITH_CONTENT}")
"""The domains, and one whose training run is given content vectors."""


class Variant:
    """What the tests of one variant share; made on demand, for training takes seconds."""

    def __init__(self, name: str, directory: Path) -> None:
        self._has_content = name.endswith(WITH_CONTENT)
        self._directory = directory
        declared = DOMAINS[name.removesuffix(WITH_CONTENT)]
        recipe = replace(declared.recipe, trainers="tiny", min_rows=15)
        self.domain = replace(declared, recipe=recipe, genre=None)
        """With the smallest members and without listening to audio."""

    @cached_property
    def files(self) -> Path:
        out = self._directory / "log"
        simulator = next(iter(self.domain.simulators.values()))
        simulator(out, events=EVENTS[self.domain.name], seed=1)
        return out

    @cached_property
    def log(self) -> EventLog:
        return read_log(self.domain.readers, self.files)

    @cached_property
    def content(self) -> ContentVectors | None:
        """Vectors of most objects, or none at all."""
        if not self._has_content:
            return None
        return random_content(0, self.log.objects.ids, self.domain.content_name, size=5)

    @cached_property
    def bundle(self) -> Path:
        domain, log, compute = self.domain, self.log, Compute(threads=1)
        evaluated = evaluate_log(
            domain, log, domain.recipe, compute, seed=0, content=self.content, with_lists=True
        )
        return publish(
            domain,
            log,
            evaluated,
            domain.recipe,
            compute,
            root=self._directory / "bundles",
            version="v1",
            published_at_s=float(log.time_s[-1]),
            commit="",
            seed=0,
        )


@pytest.fixture(scope="session")
def variants(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Variant]:
    return {name: Variant(name, tmp_path_factory.mktemp("variant")) for name in VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest, variants: Mapping[str, Variant]) -> Variant:
    return variants[request.param]


@pytest.fixture
def domain(variant: Variant) -> Domain:
    return variant.domain


@pytest.fixture
def log(variant: Variant) -> EventLog:
    return variant.log


@pytest.fixture
def bundle(variant: Variant) -> Path:
    return variant.bundle


@pytest.fixture
def engine(domain: Domain, bundle: Path) -> DomainEngine:
    """Fresh for each test: live events stay in it."""
    return DomainEngine(domain, load_bundle(bundle, domain))


@pytest.fixture
def now_s(engine: DomainEngine) -> float:
    return engine.clock_s + NOW_S


@pytest.fixture
def taken(domain: Domain) -> Outcome:
    """An outcome by which users of this domain take an object."""
    return next(outcome for outcome in INTERACTIONS if outcome in domain.outcomes)


def feedback(
    sequence: int, user: str, obj: str, outcome: Outcome, time_s: float, **context: str
) -> FeedbackEvent:
    return FeedbackEvent(sequence, user, obj, outcome, time_s, context)


def user_of(log: EventLog) -> UserRef:
    """The busiest user."""
    return UserRef(log.users.ids[int(np.bincount(log.user_index).argmax())])


def asked(log: EventLog, size: int = 10) -> ScoreRequest:
    return ScoreRequest(user_of(log), log.objects.ids[:size])
