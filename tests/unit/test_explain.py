"""Explanations add up to what is served, whatever the members can tell of themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.ensemble import SUNK_LOGIT, Ensemble, Profile
from core.explain import explain
from core.models.base import Contributions, Model
from core.requests import Explanation
from core.stack import Stack
from core.state.columns import Family, FeatureBatch
from core.testing import random_batch, synthetic_columns

COLUMNS = synthetic_columns(numbers=2)
NAMES = tuple(column.name for column in COLUMNS.numbers)
"""user_0, user_1, object_0, object_1, context_0, context_1."""
FAMILIES = (
    Family.STATIC, Family.ACTIVITY, Family.ACTIVITY, Family.OUTCOME, Family.CONTEXT, Family.OUTCOME,
)  # fmt: skip
BASE = -0.25


@dataclass(frozen=True)
class Whole:
    """A member that cannot tell its columns apart: one number column is its logit."""

    name: str
    column: int
    broken_row: int | None = None

    def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
        logits = np.nan_to_num(batch.numbers[:, self.column].astype(np.float64))
        if self.broken_row is not None:
            logits[self.broken_row] = np.nan
        return logits

    def save(self, directory: Path) -> None:
        raise NotImplementedError

    def iterations(self) -> int:
        return 1


@dataclass(frozen=True)
class Matching(Whole):
    """A member with branches, whose cosine is a half."""

    def branch_cosines(self, batch: FeatureBatch) -> NDArray[np.float64]:
        return np.full(len(batch), 0.5)


@dataclass(frozen=True)
class Sum:
    """A member whose logit is the sum of all number columns and a base."""

    name: str

    def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
        told = self.contributions(batch)
        return np.asarray(told.base + told.parts.sum(axis=1))

    def contributions(self, batch: FeatureBatch) -> Contributions:
        parts = np.nan_to_num(batch.numbers.astype(np.float64))
        return Contributions(NAMES, FAMILIES, np.full(len(batch), BASE), parts)

    def save(self, directory: Path) -> None:
        raise NotImplementedError

    def iterations(self) -> int:
        return 1


def ensemble(
    weights: tuple[float, ...] = (1.0, 0.5, 0.25), intercept: float = -0.5, **others: Model
) -> Ensemble:
    members: dict[str, Model] = {
        "jenn": Matching("jenn", 0),
        "felu": Whole("felu", 1),
        "lightgbm": Sum("lightgbm"),
    }
    return Ensemble(
        {**members, **others},
        {
            Profile.FULL: Stack(("jenn", "felu", "lightgbm"), weights, intercept),
            Profile.LIGHT: Stack(("felu", "lightgbm"), weights[1:], intercept),
        },
    )


def explained(
    batch: FeatureBatch,
    asked: Ensemble | None = None,
    profile: Profile = Profile.FULL,
    top_features: int = 10,
) -> tuple[Explanation, ...]:
    asked = asked or ensemble()
    return explain(asked, profile, batch, asked.predict(batch, profile), top_features)


def row(*numbers: float) -> FeatureBatch:
    batch = random_batch(COLUMNS, 1, seed=0)
    batch.numbers[0] = numbers
    return batch


def test_a_logit_is_the_intercept_and_what_the_members_add() -> None:
    (told,) = explained(row(2.0, 1.0, 0.0, 0.0, 0.0, 0.0))
    assert [(m.member, m.logit, m.weight, m.contribution) for m in told.members] == [
        ("jenn", 2.0, 1.0, 2.0),
        ("felu", 1.0, 0.5, 0.5),
        ("lightgbm", 2.75, 0.25, 0.6875),
    ]
    assert told.intercept == -0.5
    assert told.logit == 2.6875


def test_features_are_named_strongest_first_and_the_rest_is_their_remainder() -> None:
    (told,) = explained(row(0.5, -4.0, 1.0, 3.0, 0.25, 0.0), top_features=3)
    features = told.members[-1].features
    assert features is not None
    assert [(f.feature, f.family, f.contribution) for f in features.features] == [
        ("user_1", "activity", -4.0),
        ("object_1", "outcome", 3.0),
        ("object_0", "activity", 1.0),
    ]
    assert features.base == BASE
    assert features.rest == 0.75


def test_every_family_has_its_sum() -> None:
    (told,) = explained(row(0.5, -4.0, 1.0, 3.0, 0.25, 0.125), top_features=1)
    features = told.members[-1].features
    assert features is not None
    assert features.families == {
        "static": 0.5, "activity": -3.0, "outcome": 3.125, "context": 0.25,
    }  # fmt: skip


def test_a_feature_that_adds_nothing_is_not_named() -> None:
    (told,) = explained(row(0.0, 0.0, 1.0, 0.0, math.nan, 0.0), top_features=100)
    features = told.members[-1].features
    assert features is not None
    assert [f.feature for f in features.features] == ["object_0"]
    assert features.rest == 0.0


def test_members_that_cannot_tell_features_apart_contribute_as_a_whole() -> None:
    (told,) = explained(row(1.0, 1.0, 1.0, 1.0, 1.0, 1.0))
    assert [m.features is None for m in told.members] == [True, True, False]
    (blind,) = explained(row(1.0, 1.0, 1.0, 1.0, 1.0, 1.0), ensemble(lightgbm=Whole("lightgbm", 2)))
    assert [m.features for m in blind.members] == [None, None, None]
    assert blind.logit == 1.0 + 0.5 + 0.25 - 0.5


def test_only_jenn_has_a_branch_cosine() -> None:
    batch = random_batch(COLUMNS, 2, seed=0)
    assert [told.branch_cosine for told in explained(batch)] == [0.5, 0.5]
    assert [told.branch_cosine for told in explained(batch, profile=Profile.LIGHT)] == [None, None]
    without_branches = ensemble(jenn=Whole("jenn", 0))
    assert [told.branch_cosine for told in explained(batch, without_branches)] == [None, None]


def test_a_row_that_a_member_cannot_score_says_so_and_leaves_the_others_alone() -> None:
    batch = random_batch(COLUMNS, 3, seed=0)
    told = explained(batch, ensemble(felu=Whole("felu", 1, broken_row=1)))
    assert [each.is_sunk for each in told] == [False, True, False]
    assert (told[1].logit, told[1].members, told[1].branch_cosine) == (SUNK_LOGIT, (), None)
    assert told[::2] == explained(batch)[::2]


def test_no_rows_have_no_explanations() -> None:
    assert explained(random_batch(COLUMNS, 0, seed=0)) == ()


@given(
    weights=st.tuples(*[st.floats(0.0, 5.0)] * 3),
    intercept=st.floats(-5.0, 5.0),
    seed=st.integers(0, 10_000),
    n_rows=st.integers(1, 8),
    top_features=st.integers(1, 8),
    profile=st.sampled_from(Profile),
)
def test_everything_adds_up(
    weights: tuple[float, float, float],
    intercept: float,
    seed: int,
    n_rows: int,
    top_features: int,
    profile: Profile,
) -> None:
    asked, batch = ensemble(weights, intercept), random_batch(COLUMNS, n_rows, seed)
    prediction = asked.predict(batch, profile)
    told = explain(asked, profile, batch, prediction, top_features)
    for each, probability in zip(told, prediction.probabilities, strict=True):
        added = math.fsum(m.contribution for m in each.members)
        assert each.intercept + added == pytest.approx(each.logit, abs=1e-9)
        assert 1 / (1 + math.exp(-each.logit)) == pytest.approx(probability, rel=1e-9)
        for member in each.members:
            assert member.contribution == member.weight * member.logit
        features = each.members[-1].features
        assert features is not None
        assert len(features.features) <= top_features
        named = math.fsum(f.contribution for f in features.features)
        for parts in (named + features.rest, math.fsum(features.families.values())):
            assert features.base + parts == pytest.approx(each.members[-1].logit, abs=1e-9)
