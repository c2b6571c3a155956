"""Explanations: from members, stack and features to parts that add up to what was served."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.ensemble import Ensemble, EnsemblePrediction, Profile
from core.models.base import Branched, Contributing, Contributions
from core.requests import (
    Explanation,
    FeatureContribution,
    FeatureContributions,
    MemberContribution,
)
from core.state.columns import Family, FeatureBatch

COSINE_MEMBER = "jenn"
"""The member whose branches hold a free embedding of each user and object: a match of their own."""


def explain(
    ensemble: Ensemble,
    profile: Profile,
    batch: FeatureBatch,
    prediction: EnsemblePrediction,
    top_features: int,
) -> tuple[Explanation, ...]:
    """One explanation a row of `batch`, whose `prediction` under `profile` is already known.

    Members that cannot tell features apart contribute as a whole. Costs milliseconds a row.

    Args:
        ensemble: what predicted.
        profile: which members and stack did.
        batch: n rows.
        prediction: of the same rows.
        top_features: how many features to name at most.
    """
    stack = ensemble.stacks[profile]
    members = {name: ensemble.members[name] for name in stack.member_names}
    logits = np.column_stack([prediction.member_logits[name] for name in members])
    added = stack.contributions(logits)
    features = {
        name: _by_row(member.contributions(batch), top_features)
        for name, member in members.items()
        if isinstance(member, Contributing)
    }
    cosines = _cosines(members, batch)

    def explanation(row: int) -> Explanation:
        logit = float(prediction.logits[row])
        if prediction.is_sunk[row]:
            return Explanation(logit, stack.intercept, (), None, is_sunk=True)
        contributions = tuple(
            MemberContribution(
                member=name,
                logit=float(logits[row, index]),
                weight=stack.coefficients[index],
                contribution=float(added[row, index]),
                features=features[name][row] if name in features else None,
            )
            for index, name in enumerate(members)
        )
        cosine = None if cosines is None else float(cosines[row])
        return Explanation(logit, stack.intercept, contributions, cosine)

    return tuple(explanation(row) for row in range(len(batch)))


def _cosines(members: Mapping[str, object], batch: FeatureBatch) -> NDArray[np.float64] | None:
    member = members.get(COSINE_MEMBER)
    return member.branch_cosines(batch) if isinstance(member, Branched) else None


def _by_row(told: Contributions, top_features: int) -> list[FeatureContributions]:
    groups = {
        family.value: np.flatnonzero([each is family for each in told.families])
        for family in Family
        if family in told.families
    }

    def features(base: float, parts: NDArray[np.float64]) -> FeatureContributions:
        strongest = np.argsort(-np.abs(parts), kind="stable")
        named = [i for i in strongest[:top_features].tolist() if parts[i]]
        return FeatureContributions(
            base=base,
            features=tuple(
                FeatureContribution(told.names[i], told.families[i].value, float(parts[i]))
                for i in named
            ),
            rest=float(parts[strongest[len(named) :]].sum()),
            families={name: float(parts[group].sum()) for name, group in groups.items()},
        )

    return [features(float(b), parts) for b, parts in zip(told.base, told.parts, strict=True)]
