"""Online: what the online learner forecasts from all labels that have matured up to now."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arrays import Objects, Totals, Users, Values
from core.state.columns import Family, NumberColumn
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


@njit(cache=True)
def request_sums(
    user: int, context: NDArray[np.int32], users: Users, values: Values
) -> NDArray[np.float64]:
    """(2, SUMS) sums of the user's fields, and of the user's and the context's.

    The latter are NaN where all of the context is unknown.
    """
    sums = np.zeros((2, SUMS))
    add_user(user, users, values, sums[0])
    sums[1] = sums[0]
    add_context(context, values, sums[1])
    if not context.any():
        sums[1] = np.nan
    return sums


@njit(cache=True)
def read_candidate(
    obj: int,
    match: float,
    of_request: NDArray[np.float64],
    totals: Totals,
    objects: Objects,
    values: Values,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`; `of_request` is `request_sums`."""
    for sums in of_request.copy():
        add_object(obj, objects, values, sums)
        out[k] = linear(totals, match, sums)
        out[k + 1] = out[k] + pairs(sums)
        k += 2
    return k
