"""The online learner: a factorisation machine that learns from each label as it matures.

Its fields are user, object, their category values and the context; its logit is

    bias + slope * match + sum of weights + sum over pairs of fields of v_i . v_j,

where `match` is the product of the user's taste of late and the object (Rendle, 2010). AdaGrad
learns it in the order in which labels mature, each label once: more passes make it sure of what it
has seen. So its logit is a forecast at every moment, and as a feature it carries what all labels up
to now say of this very user, object and context, where the members' own weights stay as of the last
training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.arrays import (
    BIAS,
    BIAS_SQUARES,
    FACTORS,
    LEARNERS,
    SLOPE,
    SLOPE_SQUARES,
    Objects,
    Totals,
    Users,
    Values,
)
from core.state.compiling import allocating_kernel, kernel

WEIGHT_STEP = 0.1
"""AdaGrad's step of bias, slope and weights."""
FACTOR_STEP = 0.05
"""AdaGrad's step of the factors."""
DECAY = 1e-4
"""L2 on weights and factors."""
START = 0.05
"""Factors start between minus and plus this."""

SUM, SQUARES, FIRST_FACTOR = range(3)
"""What is summed over fields: weights, squares of factors, then each factor."""
SUMS = FIRST_FACTOR + FACTORS


@kernel()
def add_user(user: int, users: Users, values: Values, sums: NDArray[np.float64]) -> None:
    """Add the fields of a user to `sums` (SUMS,)."""
    _add(users.weights[user], sums)
    for value in users.values[user]:
        if value != 0:
            _add(values.weights[value], sums)


@kernel()
def add_object(obj: int, objects: Objects, values: Values, sums: NDArray[np.float64]) -> None:
    """Add the fields of an object."""
    _add(objects.weights[obj], sums)
    for value in objects.values[obj]:
        if value != 0:
            _add(values.weights[value], sums)


@kernel()
def add_context(
    context: NDArray[np.int32] | NDArray[np.int64], values: Values, sums: NDArray[np.float64]
) -> None:
    """Add the context's values."""
    for value in context:
        if value != 0:
            _add(values.weights[value], sums)


@kernel()
def _add(weights: NDArray[np.float32], sums: NDArray[np.float64]) -> None:
    sums[SUM] += weights[0]
    for f in range(FACTORS):
        v = np.float64(weights[1 + f])
        sums[SQUARES] += v * v
        sums[FIRST_FACTOR + f] += v


@kernel()
def linear(totals: Totals, match: float, sums: NDArray[np.float64]) -> float:
    """The logit without the pairs of fields."""
    return float(totals.learner[BIAS] + totals.learner[SLOPE] * match + sums[SUM])


@kernel()
def pairs(sums: NDArray[np.float64]) -> float:
    """The sum over pairs of fields: half of (sum of factors)^2 - sum of squares."""
    total = 0.0
    for f in range(FACTORS):
        total += sums[FIRST_FACTOR + f] * sums[FIRST_FACTOR + f]
    return float(0.5 * (total - sums[SQUARES]))


@allocating_kernel()
def learn(
    user: int,
    obj: int,
    context: NDArray[np.int64],
    match: float,
    label: float,
    totals: Totals,
    users: Users,
    objects: Objects,
    values: Values,
) -> None:
    """One step on a label that has matured; `match` is that of when the event happened."""
    sums = np.zeros(SUMS)
    add_user(user, users, values, sums)
    add_object(obj, objects, values, sums)
    add_context(context, values, sums)
    logit = linear(totals, match, sums) + pairs(sums)
    slope = 1.0 / (1.0 + np.exp(-logit)) - label
    learner = totals.learner
    learner[BIAS_SQUARES] += slope * slope
    learner[BIAS] -= WEIGHT_STEP * slope / np.sqrt(1.0 + learner[BIAS_SQUARES])
    learner[SLOPE_SQUARES] += slope * match * slope * match
    learner[SLOPE] -= WEIGHT_STEP * slope * match / np.sqrt(1.0 + learner[SLOPE_SQUARES])
    _step(users.weights[user], slope, sums, learner)
    for value in users.values[user]:
        if value != 0:
            _step(values.weights[value], slope, sums, learner)
    _step(objects.weights[obj], slope, sums, learner)
    for value in objects.values[obj]:
        if value != 0:
            _step(values.weights[value], slope, sums, learner)
    for value in context:
        if value != 0:
            _step(values.weights[value], slope, sums, learner)


@kernel()
def _step(
    weights: NDArray[np.float32],
    slope: float,
    sums: NDArray[np.float64],
    learner: NDArray[np.float64],
) -> None:
    """One step of one field; at its first its factors, zero in `sums`, take their start."""
    squares = 1 + FACTORS
    is_first = weights[squares] == 0.0
    if is_first:
        learner[LEARNERS] += 1.0
    gradient = slope + DECAY * weights[0]
    weights[squares] += gradient * gradient
    weights[0] -= WEIGHT_STEP * gradient / np.sqrt(1.0 + weights[squares])
    for f in range(FACTORS):
        others = sums[FIRST_FACTOR + f] - np.float64(weights[1 + f])
        if is_first:
            weights[1 + f] = _start(learner[LEARNERS], f)
        gradient = slope * others + DECAY * np.float64(weights[1 + f])
        weights[squares + 1 + f] += gradient * gradient
        weights[1 + f] -= FACTOR_STEP * gradient / np.sqrt(1.0 + weights[squares + 1 + f])


@kernel()
def _start(row: float, f: int) -> float:
    """A number between -START and START that depends on the order of arrival alone."""
    x = np.uint64(row) * np.uint64(FACTORS) + np.uint64(f) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return START * (2.0 * float(x >> np.uint64(11)) / 9007199254740992.0 - 1.0)
