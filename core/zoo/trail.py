"""The listening sequence of a user as feature columns: the last objects before each example."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.log import INTERACTIONS, EventLog
from core.schema import Branch
from core.state.columns import CodeColumn, Columns, Family, FeatureBatch

TRAIL = "trail_object"
"""Vocabulary of the sequence; 0 is no object."""
CANDIDATE = "trail_candidate"
"""Name of the column that holds the example's own object in the same vocabulary."""


def trail_codes(
    log: EventLog, rows: NDArray[np.intp], length: int
) -> tuple[NDArray[np.int32], Columns]:
    """Codes (n, 1 + length) of the examples at `rows`, and the columns that they are of.

    First the example's own object, then those that its user took before, the latest first. An
    event counts if it lies before the example's tie group: what shares a moment is not seen.
    """
    taken = np.flatnonzero(np.isin(log.outcome, [str(outcome) for outcome in INTERACTIONS]))
    order = taken[np.argsort(log.user_index[taken], kind="stable")]
    groups = np.int64(log.tie_group.max()) + 1
    moment = log.user_index[order].astype(np.int64) * groups + log.tie_group[order]
    users = log.user_index[rows].astype(np.int64)
    first = np.searchsorted(moment, users * groups)
    own = np.searchsorted(moment, users * groups + log.tie_group[rows])
    place = own[:, None] - np.arange(1, length + 1)
    is_known = place >= first[:, None]
    past = log.object_index[order[np.maximum(place, 0)]] + 1 if len(order) else place * 0
    codes = np.column_stack([log.object_index[rows] + 1, np.where(is_known, past, 0)])
    names = [CANDIDATE, *(f"trail_{age}" for age in range(1, length + 1))]
    cardinality = len(log.objects) + 1
    columns = tuple(
        CodeColumn(
            name,
            Family.SEQUENCE,
            Branch.OBJECT if name == CANDIDATE else Branch.USER,
            cardinality,
            TRAIL,
            is_identity=True,
        )
        for name in names
    )
    return codes.astype(np.int32), Columns((), columns)


def with_trail(batch: FeatureBatch, codes: NDArray[np.int32], columns: Columns) -> FeatureBatch:
    """The batch with the columns of `trail_codes` after its own."""
    return FeatureBatch(
        Columns(batch.columns.numbers, (*batch.columns.codes, *columns.codes)),
        batch.numbers,
        np.concatenate([batch.codes, codes], axis=1),
    )
