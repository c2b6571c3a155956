"""Online: what the online learner forecasts from all labels that have matured up to now."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arrays import Objects, Totals, Values
from core.state.columns import Family, NumberColumn
from core.state.learning import add_object, linear, pairs


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
def read_candidate(
    obj: int,
    match: float,
    of_user: NDArray[np.float64],
    of_request: NDArray[np.float64],
    context_is_known: bool,
    totals: Totals,
    objects: Objects,
    values: Values,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `candidate_columns`; the sums are those of the user and of user and context."""
    sums = of_user.copy()
    add_object(obj, objects, values, sums)
    out[k] = linear(totals, match, sums)
    out[k + 1] = out[k] + pairs(sums)
    if context_is_known:
        sums[:] = of_request
        add_object(obj, objects, values, sums)
        out[k + 2] = linear(totals, match, sums)
        out[k + 3] = out[k + 2] + pairs(sums)
    else:
        out[k + 2] = np.nan
        out[k + 3] = np.nan
    return k + 4
