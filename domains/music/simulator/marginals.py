"""What the real log looks like as published, and the same figures measured on a simulated one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from domains.music.simulator.contexts import Context
from domains.music.simulator.events import FirstPlays
from domains.music.simulator.randomness import Bools, Floats, Ints
from domains.music.simulator.world import LogitParts, World

_OFTEN_PLAYED = 10


@dataclass(frozen=True)
class Marginal:
    """One published figure."""

    name: str
    """Key of `measure_marginals`."""
    published: float
    """Its value in the real log, or the share that the world is specified to have."""
    tolerance: float
    """How far a world of 200,000 events or more may be off."""


PUBLISHED = (
    Marginal("positive share", 0.505, 0.02),
    Marginal("tracks of a user, median", 140.0, 10.0),
    Marginal("tracks of a user, 90th percentile", 780.0, 60.0),
    Marginal("tracks with one listener", 0.62, 0.03),
    Marginal("rank correlation of log plays and repeat rate", 0.40, 0.10),
    Marginal("repeat rate under 2 minutes", 0.38, 0.035),
    Marginal("repeat rate of 3 to 5 minutes", 0.51, 0.02),
    Marginal("repeat rate over 7 minutes", 0.38, 0.035),
    Marginal("repeat rate under 35 years", 0.54, 0.035),
    Marginal("repeat rate at 35 to 45 years", 0.47, 0.045),
    Marginal("logit variance: taste", 0.35, 0.03),
    Marginal("logit variance: user", 0.15, 0.025),
    Marginal("logit variance: object", 0.15, 0.025),
    Marginal("logit variance: context", 0.25, 0.03),
    Marginal("logit variance: length, age, genre", 0.10, 0.02),
    Marginal("oracle ROC-AUC", 0.775, 0.025),
)
"""The figures that every later measurement on a simulated log relies on."""


def measure_marginals(world: World, plays: FirstPlays) -> Mapping[str, float]:
    """All figures of `PUBLISHED` on one simulated log."""
    labels = plays.labels
    heard = np.bincount(plays.users)
    played = np.bincount(plays.objects)
    minutes = world.catalogue.lengths_ms[plays.objects] / 60_000.0
    ages = world.population.ages[plays.users]
    told = ~world.population.age_hidden[plays.users]
    shares = logit_variance_shares(world, plays)
    return {
        "positive share": float(labels.mean()),
        "tracks of a user, median": float(np.median(heard[heard > 0])),
        "tracks of a user, 90th percentile": float(np.quantile(heard[heard > 0], 0.9)),
        "tracks with one listener": float((played == 1).sum() / (played > 0).sum()),
        "rank correlation of log plays and repeat rate": _popularity_correlation(plays),
        "repeat rate under 2 minutes": _rate(labels, minutes < 2),
        "repeat rate of 3 to 5 minutes": _rate(labels, (minutes >= 3) & (minutes < 5)),
        "repeat rate over 7 minutes": _rate(labels, minutes > 7),
        "repeat rate under 35 years": _rate(labels, told & (ages < 35)),
        "repeat rate at 35 to 45 years": _rate(labels, told & (ages >= 35) & (ages <= 45)),
        "logit variance: taste": shares["taste"],
        "logit variance: user": shares["user"],
        "logit variance: object": shares["object"],
        "logit variance: context": shares["context"],
        "logit variance: length, age, genre": shares["content"],
        "oracle ROC-AUC": roc_auc(labels, plays.probabilities),
    }


def logit_variance_shares(world: World, plays: FirstPlays) -> Mapping[str, float]:
    """Share of each part in the variance of the true logit over the log; they add up to 1.

    A share is the covariance of the part with the whole over the variance of the whole, so what
    parts have in common is split between them.
    """
    rows = world.parameters.contexts
    context = Context(
        source_tab=np.array([row.tab for row in rows])[plays.contexts],
        source_type=np.array([row.type for row in rows])[plays.contexts],
    )
    parts: LogitParts = world.logit_parts(plays.users, plays.objects, context, plays.times_s)
    whole = parts.total - parts.total.mean()
    return {
        name: float((whole * getattr(parts, name)).mean() / (whole * whole).mean())
        for name in ("taste", "user", "object", "context", "content")
    }


def roc_auc(labels: Bools, scores: Floats) -> float:
    """Area under the ROC curve."""
    places = _mid_ranks(scores)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    wins = places[labels].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def _rate(labels: Bools, rows: Bools) -> float:
    """Share of positives, NaN where a small world has no such rows."""
    return float(labels[rows].mean()) if rows.any() else float("nan")


def _popularity_correlation(plays: FirstPlays) -> float:
    """Spearman's correlation over tracks with ten plays or more."""
    played = np.bincount(plays.objects)
    often = played >= _OFTEN_PLAYED
    rates = np.bincount(plays.objects, weights=plays.labels)[often] / played[often]
    return float(np.corrcoef(_mid_ranks(played[often]), _mid_ranks(rates))[0, 1])


def _mid_ranks(values: Floats | Ints) -> Floats:
    """Ranks in which equal values share the mean of their places: (n,)."""
    _, groups, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Floats = (ends - (counts - 1) / 2.0)[groups]
    return middles
