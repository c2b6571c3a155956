"""What fails inside an engine is told, never hidden behind an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from core.engine import DomainEngine, load_bundle
from core.ensemble import Ensemble
from core.models import Model
from core.requests import ScoreRequest, UserRef
from core.state.columns import FeatureBatch
from core.testing_domain import SMALL_DOMAIN, publish_small, small_log


class TurnedNan:
    """A net whose weights have gone bad."""

    name = "jenn"

    def predict(self, batch: FeatureBatch) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.full(len(batch), np.nan)

    def save(self, directory: Path) -> None:
        raise AssertionError(directory)

    def iterations(self) -> int:
        return 1


def test_a_member_that_answers_nan_is_reported_by_name(tmp_path: Path) -> None:
    directory, _ = publish_small(tmp_path / "bundles", small_log(tmp_path / "data"))
    whole = load_bundle(directory, SMALL_DOMAIN)
    members: dict[str, Model] = {**whole.ensemble.members, "jenn": TurnedNan()}
    told: list[str] = []
    engine = DomainEngine(
        SMALL_DOMAIN,
        replace(whole, ensemble=Ensemble(members, whole.ensemble.stacks)),
        lambda part, error: told.append(f"{part}: {error}"),
    )
    answer = engine.score(ScoreRequest(UserRef("u"), ["a", "b"]), engine.clock_s)
    assert np.isfinite(answer.probabilities).all()
    assert told == ["jenn: 2 of 2 logits are not finite"]
    asked = ScoreRequest(UserRef("u"), ["a", "b"], top_features=5)
    sunk = engine.score(asked, engine.clock_s).explanations
    assert [each.is_sunk for each in sunk] == [True, True]
    told.clear()
    light = engine.score(replace(asked, profile="light"), engine.clock_s).explanations
    assert [each.is_sunk for each in light] == [False, False]
    assert told == []
