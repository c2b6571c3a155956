"""Online: what the online learner forecasts from all labels that have matured up to now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arrays import MEAN, Objects, Shape, Totals, Users, Values
from core.state.beliefs import (
    OF_CONTEXT,
    OF_FACET,
    OF_OBJECT,
    OF_USER,
    OF_USUAL,
    OF_VALUE,
    add_effect,
    add_pairs,
    add_shared,
    add_values,
    blurred,
)
from core.state.columns import Family, NumberColumn
from core.state.compiling import allocating_kernel
from core.state.hashing import PairTable
from core.state.learning import SUMS, add_context, add_object, add_user, linear, pairs

USER_COLUMNS, REQUEST_COLUMNS = 1, 2
"""How many there are: `read_candidates` fills them, for it needs what they say in full."""


def user_columns(schema: Schema) -> list[NumberColumn]:
    """The effect of the user and their values."""
    del schema
    return [NumberColumn("user_effect", Family.ONLINE, Branch.USER)]


def request_columns(schema: Schema) -> list[NumberColumn]:
    """The effect of the context's values, and of the user in them."""
    del schema
    return [
        NumberColumn("context_effect", Family.ONLINE, Branch.CONTEXT, needs_context=True),
        NumberColumn("user_context_effect", Family.ONLINE, Branch.CONTEXT, needs_context=True),
    ]


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """Logits without the pairs of fields, with them, and with the context; then of the beliefs.

    Of the latter: the effects of the object and its values, and of the user in its facet values;
    the logit of all but the context, the standard deviation of what it sums, and the logit of all.
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
        NumberColumn("belief_context_logit", Family.ONLINE, Branch.CONTEXT, needs_context=True),
    ]


@allocating_kernel()
def _user_effects(user: int, users: Users, values: Values, shape: Shape) -> NDArray[np.float64]:
    """(2,) mean and variance of the effects of the user and their values."""
    effects = np.zeros(2)
    add_effect(users.weights[user], MEAN, shape.effect_variances[OF_USER], effects)
    add_values(users.values[user], values, shape.effect_variances[OF_VALUE], effects)
    return effects


@allocating_kernel()
def _context_effects(
    user: int, context: NDArray[np.int32], values: Values, user_value: PairTable, shape: Shape
) -> NDArray[np.float64]:
    """(2, 2) means and variances of the effects of the context, and of the user in it.

    NaN where all of the context is unknown.
    """
    effects = np.zeros((2, 2))
    add_values(context, values, shape.effect_variances[OF_CONTEXT], effects[0])
    add_pairs(user, context, user_value, shape.effect_variances[OF_USUAL], effects[1])
    if not context.any():
        effects[:] = np.nan
    return effects


@allocating_kernel()
def read_candidates(
    user: int,
    objs: NDArray[np.int32],
    context: NDArray[np.int32],
    shape: Shape,
    totals: Totals,
    users: Users,
    objects: Objects,
    values: Values,
    user_value: PairTable,
    match_column: int,
    out: NDArray[np.float32],
    of_user_column: int,
    of_request_column: int,
    k: int,
) -> int:
    """See `candidate_columns`: all candidates (n,) at once, to add up the request's fields once.

    `match_column` of `out` (n, number columns) is filled already; the columns of the user and the
    request are filled here. What is of the context is unknown where all of it is.
    """
    of_user = np.zeros(SUMS)
    of_request = np.zeros(SUMS)
    sums = np.empty(SUMS)
    effects = np.empty(2)
    add_user(user, users, values, of_user)
    of_request[:] = of_user
    add_context(context, values, of_request)
    if not context.any():
        of_request[:] = np.nan
    prior = shape.effect_variances
    user_effects = _user_effects(user, users, values, shape)
    context_effects = _context_effects(user, context, values, user_value, shape)
    for i in range(len(objs)):
        row, obj = out[i], objs[i]
        row[of_user_column] = user_effects[0]
        row[of_request_column] = context_effects[0, 0]
        row[of_request_column + 1] = context_effects[1, 0]
        match = np.float64(row[match_column])
        column = k
        for known in (of_user, of_request):
            sums[:] = known
            add_object(obj, objects, values, sums)
            row[column] = linear(totals, match, sums)
            row[column + 1] = row[column] + pairs(sums)
            column += 2
        effects[:] = 0.0
        add_effect(objects.weights[obj], MEAN, prior[OF_OBJECT], effects)
        add_values(objects.values[obj], values, prior[OF_VALUE], effects)
        of_object = effects[0]
        facet_values = objects.values[obj, : shape.facet_start[-1]]
        add_pairs(user, facet_values, user_value, prior[OF_FACET], effects)
        row[column] = of_object
        row[column + 1] = effects[0] - of_object
        effects += user_effects
        add_shared(totals, match, effects)
        row[column + 2] = blurred(effects)
        row[column + 3] = np.sqrt(effects[1])
        effects += context_effects[0]
        effects += context_effects[1]
        row[column + 4] = blurred(effects)
    return k + 9
