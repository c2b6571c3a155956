"""Online: what the online learner forecasts from all labels that have matured up to now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arrays import Objects, Totals, Users, Values
from core.state.columns import Family, NumberColumn
from core.state.compiling import allocating_kernel
from core.state.learning import SUMS, add_context, add_object, add_user, linear, pairs


def user_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """Logits without the pairs of fields, with them, and with the context."""
    del schema
    return [
        NumberColumn("online_linear", Family.ONLINE, Branch.CONTEXT),
        NumberColumn("online_logit", Family.ONLINE, Branch.CONTEXT),
        NumberColumn("online_context_linear", Family.ONLINE, Branch.CONTEXT, needs_context=True),
        NumberColumn("online_context_logit", Family.ONLINE, Branch.CONTEXT, needs_context=True),
    ]


@allocating_kernel()
def read_candidates(
    user: int,
    objs: NDArray[np.int32],
    context: NDArray[np.int32],
    totals: Totals,
    users: Users,
    objects: Objects,
    values: Values,
    match_column: int,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`: all candidates (n,) at once, to add up the request's fields once.

    `match_column` of `out` (n, number columns) is filled already; it may be NaN.
    """
    of_user = np.zeros(SUMS)
    of_request = np.zeros(SUMS)
    sums = np.empty(SUMS)
    add_user(user, users, values, of_user)
    of_request[:] = of_user
    add_context(context, values, of_request)
    if not context.any():
        of_request[:] = np.nan
    for i in range(len(objs)):
        row = out[i]
        match = row[match_column]
        known_match = 0.0 if np.isnan(match) else np.float64(match)
        column = k
        for known in (of_user, of_request):
            sums[:] = known
            add_object(objs[i], objects, values, sums)
            row[column] = linear(totals, known_match, sums)
            row[column + 1] = row[column] + pairs(sums)
            column += 2
    return k + 4
