"""From the core's explanations to protobuf."""

from __future__ import annotations

from core.requests import Explanation, FeatureContributions, MemberContribution
from encore.v1 import recommender_service_pb2 as pb


def explanation_message(explanation: Explanation) -> pb.Explanation:
    """Why one probability is what it is."""
    return pb.Explanation(
        logit=explanation.logit,
        intercept=explanation.intercept,
        members=map(_member, explanation.members),
        branch_cosine=explanation.branch_cosine,
        sunk=explanation.is_sunk,
    )


def _member(told: MemberContribution) -> pb.MemberContribution:
    return pb.MemberContribution(
        member=told.member,
        logit=told.logit,
        weight=told.weight,
        contribution=told.contribution,
        features=None if told.features is None else _features(told.features),
    )


def _features(told: FeatureContributions) -> pb.FeatureContributions:
    return pb.FeatureContributions(
        base=told.base,
        features=[
            pb.FeatureContribution(
                feature=each.feature, family=each.family, contribution=each.contribution
            )
            for each in told.features
        ],
        rest=told.rest,
        families=[
            pb.FamilyContribution(family=family, contribution=contribution)
            for family, contribution in told.families.items()
        ],
    )
