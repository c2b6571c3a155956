"""Weights: how much more often a target policy would have shown what was shown.

The target explores at another rate; 0 is the greedy policy, which always shows the best left.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.policy.slots import LoggedSlots
from core.recommend.rerankers.exploration import propensities


class Unit(StrEnum):
    """What follows the target policy in an estimate."""

    SLOT = "slot"
    """Each place by itself, with the places before it as logged. Low variance; answers what the
    target would earn in the place of one draw."""
    LIST = "list"
    """The whole list up to each place: weights multiply along the list (McInerney et al.,
    Counterfactual evaluation of slate recommendations with sequential reward interactions, KDD
    2020). Unbiased for the target's lists, with a variance that grows with every place."""


def exploring_at(rate: float, slots: LoggedSlots) -> NDArray[np.float64]:
    """(n,) propensities of the logged items under the policy that explores at this rate."""
    return propensities(~slots.explored, slots.choices, rate)


def weights_of(
    slots: LoggedSlots, target: NDArray[np.float64], unit: Unit, clip: float | None = None
) -> NDArray[np.float64]:
    """(n,) importance weights, whose mean is 1 where the log has seen all that the target shows.

    Args:
        slots: as logged.
        target: (n,) propensities under the target policy, given the same places before.
        unit: what follows the target.
        clip: weights are cut to this; a little bias for much variance. None cuts nothing.
    """
    ratios = target / slots.propensity
    weights = ratios if unit is Unit.SLOT else _along_lists(slots, ratios)
    return weights if clip is None else np.minimum(weights, clip)


def _along_lists(slots: LoggedSlots, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) products of the ratios of a list up to each of its slots."""
    products = ratios.copy()
    number = np.cumsum(slots.begins()) - 1
    first = np.flatnonzero(slots.begins())
    depth = np.arange(len(slots)) - first[number]
    for place in range(1, int(depth.max(initial=0)) + 1):
        rows = np.flatnonzero(depth == place)
        products[rows] *= products[rows - 1]
    return products


def effective_size(weights: NDArray[np.float64]) -> float:
    """How many rows of weight 1 would say as much: Kish, Survey Sampling (1965)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
