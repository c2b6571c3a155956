"""Estimators of a policy's value, the mean reward of a shown item, with bootstrap intervals.

IPS weighs what was logged, SNIPS divides by the weights instead of their number (Swaminathan and
Joachims, NeurIPS 2015), doubly robust corrects a reward model by the weighted error it makes on the
log (Dudik, Langford and Li, ICML 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % bootstrap interval over users."""

    value: float
    low: float
    high: float


def logged_value(
    rewards: NDArray[np.float64], users: NDArray[np.int64], *, seed: int, resamples: int = RESAMPLES
) -> Estimate:
    """What the logging policy itself earned."""
    return _ratio(rewards, np.ones(len(rewards)), users, seed, resamples)


def ips(
    weights: NDArray[np.float64],
    rewards: NDArray[np.float64],
    users: NDArray[np.int64],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Inverse propensity score: unbiased where the log has seen all that the target shows.

    Args:
        weights: (n,) of `core.policy.weights`.
        rewards: (n,)
        users: (n,) the unit of the bootstrap.
        seed: of the bootstrap.
        resamples: how many times users are drawn.
    """
    return _ratio(weights * rewards, np.ones(len(rewards)), users, seed, resamples)


def snips(
    weights: NDArray[np.float64],
    rewards: NDArray[np.float64],
    users: NDArray[np.int64],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Self-normalised: a little bias that vanishes with the log, much less variance."""
    return _ratio(weights * rewards, weights, users, seed, resamples)


def doubly_robust(
    weights: NDArray[np.float64],
    rewards: NDArray[np.float64],
    users: NDArray[np.int64],
    *,
    expected_shown: NDArray[np.float64],
    expected_target: NDArray[np.float64],
    before: NDArray[np.float64] | None = None,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Unbiased if either the propensities or the reward model are right.

    Args:
        weights: (n,) of `core.policy.weights`.
        rewards: (n,)
        users: (n,) the unit of the bootstrap.
        expected_shown: (n,) reward that the model expects of what was shown. It must not have been
            fitted on the same row.
        expected_target: (n,) reward that it expects of what the target policy would have shown at
            the same place.
        before: (n,) weights of the places before, where whole lists follow the target; None where
            each place stands alone: then they are 1.
        seed: of the bootstrap.
        resamples: how many times users are drawn.
    """
    reached = np.ones(len(rewards)) if before is None else before
    corrected = reached * expected_target + weights * (rewards - expected_shown)
    return _ratio(corrected, np.ones(len(rewards)), users, seed, resamples)


def _ratio(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    users: NDArray[np.int64],
    seed: int,
    resamples: int,
) -> Estimate:
    """The ratio of two sums over rows, and its middle 95 % over users drawn with replacement.

    Equal seeds and users draw equal resamples, so estimates of one log can be compared.
    """
    if not len(users):
        return Estimate(np.nan, np.nan, np.nan)
    _, user = np.unique(users, return_inverse=True)
    sums = np.column_stack([np.bincount(user, term) for term in (above, below)])
    n_users = len(sums)
    generator = np.random.default_rng(seed)
    drawn = np.empty((resamples, 2))
    for i in range(resamples):
        times = np.bincount(generator.integers(n_users, size=n_users), minlength=n_users)
        drawn[i] = times @ sums
    known = drawn[drawn[:, 1] != 0.0]
    total = sums.sum(axis=0)
    if not total[1] or not len(known):
        return Estimate(np.nan, np.nan, np.nan)
    low, high = np.quantile(known[:, 0] / known[:, 1], [0.025, 0.975])
    return Estimate(float(total[0] / total[1]), float(low), float(high))
