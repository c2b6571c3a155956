"""Features that look ahead: what the ladder adds on purpose and Encore's state never knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.utils.extmath import randomized_svd

from core.log import INTERACTIONS, EventLog
from core.schema import Schema

COMPONENTS = 48
"""Of the factorisation, as in the first place of the WSDM Cup 2018."""

Leak = Callable[[EventLog, Schema, NDArray[np.intp], int], "LeakedColumns"]
"""From a log, its schema, the rows of the examples and a seed to columns of these rows."""


@dataclass(frozen=True)
class LeakedColumns:
    """Number columns (n, len(names)) float32, NaN unknown."""

    names: tuple[str, ...]
    numbers: NDArray[np.float32]


def entity_counts(log: EventLog, schema: Schema, rows: NDArray[np.intp], _: int) -> LeakedColumns:
    """Counts of the user, the object and each facet value over the whole log, later rows too."""
    return _counted(_entities(log, schema), rows)


def all_counts(log: EventLog, schema: Schema, rows: NDArray[np.intp], _: int) -> LeakedColumns:
    """As `entity_counts`, and those of the user with the object, facet values and context."""
    keys = _entities(log, schema)
    context = {f.name: coded(log.context[f.name]) for f in schema.context}
    others = {name: code for name, code in (keys | context).items() if name != "user"}
    pairs = {f"user_{name}": _pair(log.user_index, code) for name, code in others.items()}
    return _counted(keys | pairs, rows)


def whole_svd(log: EventLog, schema: Schema, rows: NDArray[np.intp], seed: int) -> LeakedColumns:
    """Vectors of user and object from a factorisation of all pairs, those to be scored included.

    Binary, as published: every example's own pair is a 1 in it.
    """
    del schema
    taken = _interactions(log)
    users, objects = log.user_index[taken], log.object_index[taken]
    pairs = np.unique(_pair(users, objects), return_index=True)[1]
    shape = (len(log.users), len(log.objects))
    ones = np.ones(len(pairs), np.float32)
    matrix = csr_matrix((ones, (users[pairs], objects[pairs])), shape)
    rank = min(COMPONENTS, *shape)
    left, singular, right = randomized_svd(matrix, rank, n_iter=5, random_state=seed)
    user, obj = left[log.user_index[rows]], right.T[log.object_index[rows]]
    dot = (user * singular * obj).sum(axis=1)
    names = [f"svd_{side}_{i}" for side in ("user", "object") for i in range(rank)]
    return LeakedColumns(("svd_dot", *names), np.column_stack([dot, user, obj]).astype(np.float32))


def next_event(log: EventLog, schema: Schema, rows: NDArray[np.intp], _: int) -> LeakedColumns:
    """How soon the user goes on, and whether with the same facet values and context."""
    following = next_rows(log, rows)
    known = following >= 0
    after = np.where(known, following, 0)
    wait = np.log1p(np.maximum(log.time_s[after] - log.time_s[rows], 0.0))
    columns = {"next_wait": wait}
    codes = facet_codes(log, schema) | {f.name: coded(log.context[f.name]) for f in schema.context}
    for name, code in codes.items():
        columns[f"next_same_{name}"] = (code[after] == code[rows]).astype(np.float64)
    numbers = np.column_stack([np.where(known, column, np.nan) for column in columns.values()])
    return LeakedColumns(tuple(columns), numbers.astype(np.float32))


LEAKS: Mapping[str, Leak] = {
    "entity_counts": entity_counts,
    "counts": all_counts,
    "svd": whole_svd,
    "next": next_event,
}
"""By name of the rung."""


def next_rows(log: EventLog, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n,) the user's first interaction after the tie group of each row; -1 where there is none."""
    taken = np.flatnonzero(_interactions(log))
    order = taken[np.argsort(log.user_index[taken], kind="stable")]
    groups = np.int64(log.tie_group.max()) + 2
    moment = log.user_index[order].astype(np.int64) * groups + log.tie_group[order]
    users = log.user_index[rows].astype(np.int64)
    place = np.searchsorted(moment, users * groups + log.tie_group[rows], side="right")
    found = order[np.minimum(place, len(order) - 1)]
    is_own = (place < len(order)) & (log.user_index[found] == users)
    return np.where(is_own, found, -1)


def facet_codes(log: EventLog, schema: Schema) -> dict[str, NDArray[np.int64]]:
    """(n_log,) the main value of each facet of each event's object, as codes."""
    codes = {}
    for field in schema.facets:
        texts = log.objects.columns[field.name]
        first = np.array([str(text).split("|", 1)[0] for text in texts], dtype=object)
        codes[field.name] = coded(first)[log.object_index]
    return codes


def coded(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """(n,) equal numbers for equal values."""
    return pd.factorize(pd.Series(values, dtype=object))[0].astype(np.int64)


def _entities(log: EventLog, schema: Schema) -> dict[str, NDArray[np.int64]]:
    user, obj = log.user_index.astype(np.int64), log.object_index.astype(np.int64)
    return {"user": user, "object": obj, **facet_codes(log, schema)}


def _interactions(log: EventLog) -> NDArray[np.bool_]:
    taken: NDArray[np.bool_] = np.isin(log.outcome, [str(outcome) for outcome in INTERACTIONS])
    return taken


def _pair(left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.int64]:
    span = np.int64(right.max()) + 2
    pair: NDArray[np.int64] = left.astype(np.int64) * span + right
    return pair


def _counted(keys: Mapping[str, NDArray[np.integer]], rows: NDArray[np.intp]) -> LeakedColumns:
    columns = []
    for key in keys.values():
        _, place, counts = np.unique(key, return_inverse=True, return_counts=True)
        columns.append(np.log1p(counts[place[rows]]))
    return LeakedColumns(
        tuple(f"whole_log_{name}" for name in keys), np.column_stack(columns).astype(np.float32)
    )
