"""Explanations of the engine in memory: made up, and still they add up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.requests import (
    Explanation,
    FeatureContribution,
    FeatureContributions,
    MemberContribution,
)
from core.state.columns import Family


def explanations_of(
    probabilities: Sequence[float], top_features: int | None
) -> tuple[Explanation, ...]:
    """One a probability when they are asked for."""
    if top_features is None:
        return ()
    return tuple(_explanation(probability, top_features) for probability in probabilities)


def _explanation(probability: float, top_features: int) -> Explanation:
    """LightGBM alone decides: by how often the object was taken, and a little by the age."""
    logit = math.log(probability / (1.0 - probability))
    named = (
        FeatureContribution("times_taken", Family.ACTIVITY.value, logit),
        FeatureContribution("age", Family.STATIC.value, 0.25),
    )
    features = FeatureContributions(
        base=0.5,
        features=named[:top_features],
        rest=math.fsum(each.contribution for each in named[top_features:]),
        families={each.family: each.contribution for each in named},
    )
    whole = logit + 0.75
    return Explanation(
        logit=logit,
        intercept=0.5 * logit - 0.375,
        members=(
            MemberContribution("felu", 1.0, 0.0, 0.0, None),
            MemberContribution("lightgbm", whole, 0.5, 0.5 * whole, features),
        ),
        branch_cosine=None,
    )
