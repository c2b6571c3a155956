"""Online: what the online learner forecasts from all labels that have matured up to now."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arrays import MEAN, Objects, Totals, Users, Values
from core.state.beliefs import (
    CONTEXT_VARIANCE,
    ENTITY_VARIANCE,
    add_effect,
    add_pairs,
    add_shared,
    add_values,
    blurred,
)
from core.state.columns import Family, NumberColumn
from core.state.hashing import PairTable
from core.state.learning import SUMS, add_context, add_object, add_user, linear, pairs


def user_columns(schema: Schema) -> list[NumberColumn]:
    """The effect of the user and their values."""
    del schema
    return [NumberColumn("user_effect", Family.ONLINE, Branch.USER)]


def request_columns(schema: Schema) -> list[NumberColumn]:
    """The effect of the context's values."""
    del schema
    return [NumberColumn("context_effect", Family.ONLINE, Branch.CONTEXT, needs_context=True)]


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """Logits without the pairs of fields, with them, and with the context; then of the beliefs.

    Of the latter: the effects of the object and its values, and of the user in its facet values;
    the logit of all but the context, and the standard deviation of what it sums.
    """
    del schema
    return [
        NumberColumn("online_linear", Family.ONLINE, Branch.CONTEXT),
        NumberColumn("online_logit", Family.ONLINE, Branch.CONTEXT),
        NumberColumn("online_context_linear", Family.ONLINE, Branch.CONTEXT, needs_context=True),
        NumberColumn("online_context_logit", Family.ONLINE, Branch.CONTEXT, needs_context=True),
        NumberColumn("object_effect", Family.ONLINE, Branch.CONTEXT),
        NumberColumn("user_facets_effect", Family.ONLINE, Branch.CONTEXT),
        NumberColumn("belief_logit", Family.ONLINE, Branch.CONTEXT),
        NumberColumn("belief_deviation", Family.ONLINE, Branch.CONTEXT),
    ]


@njit(cache=True)
def _user_effects(user: int, users: Users, values: Values) -> NDArray[np.float64]:
    effects = np.zeros(2)
    add_effect(users.weights[user], MEAN, ENTITY_VARIANCE, effects)
    add_values(users.values[user], values, ENTITY_VARIANCE, effects)
    return effects


@njit(cache=True)
def read_user(user: int, users: Users, values: Values, out: NDArray[np.float32], k: int) -> int:
    """See `user_columns`."""
    out[k] = _user_effects(user, users, values)[0]
    return k + 1


@njit(cache=True)
def read_request(
    context: NDArray[np.int32], values: Values, out: NDArray[np.float32], k: int
) -> int:
    """See `request_columns`; unknown where all of the context is."""
    effects = np.zeros(2)
    add_values(context, values, CONTEXT_VARIANCE, effects)
    out[k] = effects[0] if context.any() else np.nan
    return k + 1


@njit(cache=True)
def of_request(
    user: int, context: NDArray[np.int32], users: Users, values: Values
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What all candidates of a request share.

    Returns:
        sums: (2, SUMS) of the user's fields, and of the user's and the context's. The latter are
            NaN where all of the context is unknown.
        effects: (2,) mean and variance of the effects of the user and their values.
    """
    sums = np.zeros((2, SUMS))
    add_user(user, users, values, sums[0])
    sums[1] = sums[0]
    add_context(context, values, sums[1])
    if not context.any():
        sums[1] = np.nan
    return sums, _user_effects(user, users, values)


@njit(cache=True)
def read_candidate(
    user: int,
    obj: int,
    match: float,
    shared: tuple[NDArray[np.float64], NDArray[np.float64]],
    facet_slots: int,
    totals: Totals,
    objects: Objects,
    values: Values,
    user_value: PairTable,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`; `shared` is `of_request`."""
    for sums in shared[0].copy():
        add_object(obj, objects, values, sums)
        out[k] = linear(totals, match, sums)
        out[k + 1] = out[k] + pairs(sums)
        k += 2
    effects = np.zeros(2)
    add_effect(objects.weights[obj], MEAN, ENTITY_VARIANCE, effects)
    add_values(objects.values[obj], values, ENTITY_VARIANCE, effects)
    of_object = effects[0]
    add_pairs(user, objects.values[obj, :facet_slots], user_value, effects)
    out[k] = of_object
    out[k + 1] = effects[0] - of_object
    effects += shared[1]
    add_shared(totals, match, effects)
    out[k + 2] = blurred(effects)
    out[k + 3] = np.sqrt(effects[1])
    return k + 4
