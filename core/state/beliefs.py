"""The online learner's beliefs: a Gaussian over each effect, narrowed by each label as it matures.

An effect adds to the logit of a label. There is one of each user, object and category value, one of
each (user, facet value) and (user, context value), one of how well the object matched what the user
likes lately, and one of everything. Before any label an effect is believed to be 0, give or take
the root of its prior variance (`core.schema.EffectVariances`); a label shifts each effect of its
event by the share that the effect has in the doubt about all of them, and narrows it by what it
told (one step of an extended Kalman filter without covariances, as in Graepel et al., 2010, with a
logistic link). So rare things keep to what is known of the common ones: a rate smoothed by all
levels at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.arrays import (
    BELIEF_BIAS,
    BELIEF_SLOPE,
    MEAN,
    UV_MEAN,
    Objects,
    Shape,
    Totals,
    Users,
    Values,
)
from core.state.compiling import allocating_kernel, kernel
from core.state.hashing import PairTable, find, find_or_add, pair_key

OF_USER, OF_OBJECT, OF_VALUE, OF_CONTEXT, OF_FACET, OF_USUAL = range(6)
"""Places in `Shape.effect_variances`; the last is that of a user in a context value."""
BIAS_VARIANCE = 4.0
"""Of everything, and of the match."""
BIAS_FLOOR = 2e-4
"""The variance of everything never falls below: the rate of the whole log is followed for ever."""
LOGISTIC_SPREAD = np.pi / 8.0
"""A logistic curve blurred by variance v is nearly the curve of logit / sqrt(1 + pi / 8 * v)."""


@kernel()
def add_effect(
    row: NDArray[np.float32], at: int, prior: float, effects: NDArray[np.float64]
) -> None:
    """Add the mean and variance of one effect to `effects` (2,).

    `row[at]` is the mean, the entry after it how much of the prior variance labels took away.
    """
    effects[0] += row[at]
    effects[1] += prior - row[at + 1]


@kernel()
def add_values(
    chosen: NDArray[np.int32] | NDArray[np.int64],
    values: Values,
    prior: float,
    effects: NDArray[np.float64],
) -> None:
    """Add the effects of category values."""
    for value in chosen:
        if value != 0:
            add_effect(values.weights[value], MEAN, prior, effects)


@kernel()
def add_pairs(
    user: int,
    chosen: NDArray[np.int32] | NDArray[np.int64],
    user_value: PairTable,
    prior: float,
    effects: NDArray[np.float64],
) -> None:
    """Add the effects of a user in values of an object's facets, or of the context."""
    for value in chosen:
        if value != 0:
            pair = find(user_value, pair_key(user, value))
            if pair < 0:
                effects[1] += prior
            else:
                add_effect(user_value.rows[pair], UV_MEAN, prior, effects)


@kernel()
def add_shared(totals: Totals, match: float, effects: NDArray[np.float64]) -> None:
    """Add the effects of everything and of the match."""
    learner = totals.learner
    effects[0] += learner[BELIEF_BIAS] + match * learner[BELIEF_SLOPE]
    effects[1] += BIAS_VARIANCE - learner[BELIEF_BIAS + 1]
    effects[1] += match * match * (BIAS_VARIANCE - learner[BELIEF_SLOPE + 1])


@kernel()
def blurred(effects: NDArray[np.float64]) -> float:
    """The logit of the expected probability."""
    return float(effects[0] / np.sqrt(1.0 + LOGISTIC_SPREAD * effects[1]))


@allocating_kernel()
def believe(
    user: int,
    obj: int,
    context: NDArray[np.int64],
    match: float,
    label: float,
    shape: Shape,
    totals: Totals,
    users: Users,
    objects: Objects,
    values: Values,
    user_value: PairTable,
) -> None:
    """One step on a label that has matured; `match` is that of when the event happened."""
    effects = np.zeros(2)
    prior = shape.effect_variances
    facet_values = objects.values[obj, : shape.facet_start[-1]]
    add_shared(totals, match, effects)
    add_effect(users.weights[user], MEAN, prior[OF_USER], effects)
    add_values(users.values[user], values, prior[OF_VALUE], effects)
    add_effect(objects.weights[obj], MEAN, prior[OF_OBJECT], effects)
    add_values(objects.values[obj], values, prior[OF_VALUE], effects)
    add_values(context, values, prior[OF_CONTEXT], effects)
    add_pairs(user, facet_values, user_value, prior[OF_FACET], effects)
    add_pairs(user, context, user_value, prior[OF_USUAL], effects)

    expected = 1.0 / (1.0 + np.exp(-blurred(effects)))
    told = expected * (1.0 - expected)
    gain = 1.0 / (1.0 + told * effects[1])
    step = np.array([(label - expected) * gain, told * gain])

    _shift_shared(totals.learner, match, step)
    _shift(users.weights[user], MEAN, prior[OF_USER], step)
    _shift_values(users.values[user], values, prior[OF_VALUE], step)
    _shift(objects.weights[obj], MEAN, prior[OF_OBJECT], step)
    _shift_values(objects.values[obj], values, prior[OF_VALUE], step)
    _shift_values(context, values, prior[OF_CONTEXT], step)
    _shift_pairs(user, facet_values, user_value, prior[OF_FACET], step)
    _shift_pairs(user, context, user_value, prior[OF_USUAL], step)


@kernel()
def _shift_pairs(
    user: int,
    chosen: NDArray[np.int32] | NDArray[np.int64],
    user_value: PairTable,
    prior: float,
    step: NDArray[np.float64],
) -> None:
    for value in chosen:
        if value != 0:
            pair = find_or_add(user_value, pair_key(user, value))
            _shift(user_value.rows[pair], UV_MEAN, prior, step)


@kernel()
def _shift(row: NDArray[np.float32], at: int, prior: float, step: NDArray[np.float64]) -> None:
    """Move one effect; `step` (2,) says by how much a variance of 1 would move and narrow."""
    variance = prior - np.float64(row[at + 1])
    row[at] += variance * step[0]
    row[at + 1] += variance * variance * step[1]


@kernel()
def _shift_values(
    chosen: NDArray[np.int32] | NDArray[np.int64],
    values: Values,
    prior: float,
    step: NDArray[np.float64],
) -> None:
    for value in chosen:
        if value != 0:
            _shift(values.weights[value], MEAN, prior, step)


@kernel()
def _shift_shared(learner: NDArray[np.float64], match: float, step: NDArray[np.float64]) -> None:
    variance = BIAS_VARIANCE - learner[BELIEF_BIAS + 1]
    learner[BELIEF_BIAS] += variance * step[0]
    taken = learner[BELIEF_BIAS + 1] + variance * variance * step[1]
    learner[BELIEF_BIAS + 1] = min(taken, BIAS_VARIANCE - BIAS_FLOOR)
    variance = BIAS_VARIANCE - learner[BELIEF_SLOPE + 1]
    learner[BELIEF_SLOPE] += variance * match * step[0]
    learner[BELIEF_SLOPE + 1] += variance * variance * match * match * step[1]
