"""Outcome: smoothed, decayed means of matured labels, and what users said outright.

Rates of single keys are drawn to the rate of the whole log, rates of (user, value) pairs to the
user's own rate; each stands beside its evidence, log1p of the decayed number of labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import RATE_WEIGHT, decay, smoothed
from core.state.arrays import (
    LABEL_N,
    LABEL_SUM,
    LABEL_TIME,
    UO_OPINION,
    UO_SKIPS,
    UV_LABEL_N,
    UV_LABEL_SUM,
    UV_LABEL_TIME,
    UV_LIKING,
)
from core.state.columns import Family, NumberColumn
from core.state.compiling import kernel
from core.state.hashing import PairTable, find, pair_key


def _rate(name: str, branch: Branch, *, needs_context: bool = False) -> list[NumberColumn]:
    return [
        NumberColumn(f"{name}_rate", Family.OUTCOME, branch, needs_context),
        NumberColumn(f"{name}_evidence", Family.OUTCOME, branch, needs_context),
    ]


def user_columns(schema: Schema) -> list[NumberColumn]:
    """Rate and evidence of the user."""
    del schema
    return _rate("user", Branch.USER)


def request_columns(schema: Schema) -> list[NumberColumn]:
    """Rate and evidence of each context value, and of the user in it."""
    columns = []
    for f in schema.context:
        columns += _rate(f.name, Branch.CONTEXT, needs_context=True)
        columns += _rate(f"user_{f.name}", Branch.CONTEXT, needs_context=True)
    return columns


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """Rates of the object, each facet value, and the user in it; explicit opinions."""
    columns = _rate("object", Branch.CONTEXT)
    for f in schema.facets:
        columns += _rate(f.name, Branch.CONTEXT)
        columns += _rate(f"user_{f.name}", Branch.CONTEXT)
        columns.append(NumberColumn(f"user_{f.name}_liking", Family.OUTCOME, Branch.CONTEXT))
    columns.append(NumberColumn("user_object_opinion", Family.OUTCOME, Branch.CONTEXT))
    columns.append(NumberColumn("user_object_skips", Family.OUTCOME, Branch.CONTEXT))
    return columns


@kernel()
def single_rate(
    counts: NDArray[np.float64], time: float, half_life: float, prior: float
) -> tuple[float, float]:
    """Rate and evidence of one user, object or value from its row of counts."""
    faded = decay(time - counts[LABEL_TIME], half_life)
    n = counts[LABEL_N] * faded
    return smoothed(counts[LABEL_SUM] * faded, n, prior, RATE_WEIGHT), np.log1p(n)


@kernel()
def _pair_rate(
    user: int,
    value: int,
    user_value: PairTable,
    since_origin: float,
    half_life: float,
    prior: float,
) -> tuple[float, float, float]:
    """Rate, evidence and liking of a user in a value."""
    pair = find(user_value, pair_key(user, value))
    if pair < 0:
        return prior, 0.0, 0.0
    row = user_value.rows[pair]
    faded = decay(since_origin - user_value.marks[pair, UV_LABEL_TIME], half_life)
    n = row[UV_LABEL_N] * faded
    rate = smoothed(row[UV_LABEL_SUM] * faded, n, prior, RATE_WEIGHT)
    return rate, np.log1p(n), np.float64(row[UV_LIKING])


@kernel()
def read_request(
    user: int,
    context: NDArray[np.int32],
    value_counts: NDArray[np.float64],
    user_value: PairTable,
    time: float,
    since_origin: float,
    half_life: float,
    log_rate: float,
    user_rate: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """See `request_columns`; `log_rate` and `user_rate` are the priors."""
    for i in range(len(context)):
        if context[i] == 0:
            out[k : k + 4] = np.nan
        else:
            out[k], out[k + 1] = single_rate(value_counts[context[i]], time, half_life, log_rate)
            out[k + 2], out[k + 3], _ = _pair_rate(
                user, context[i], user_value, since_origin, half_life, user_rate
            )
        k += 4
    return k


@kernel()
def read_facets(
    user: int,
    values: NDArray[np.int32],
    facet_start: NDArray[np.int64],
    value_counts: NDArray[np.float64],
    user_value: PairTable,
    time: float,
    since_origin: float,
    half_life: float,
    log_rate: float,
    user_rate: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """The facets' part of `candidate_columns`: means over several values."""
    for f in range(len(facet_start) - 1):
        present = 0
        out[k : k + 5] = 0.0
        for slot in range(facet_start[f], facet_start[f + 1]):
            value = values[slot]
            if value == 0:
                continue
            present += 1
            rate, evidence = single_rate(value_counts[value], time, half_life, log_rate)
            in_value, in_value_evidence, liking = _pair_rate(
                user, value, user_value, since_origin, half_life, user_rate
            )
            out[k] += np.float32(rate)
            out[k + 1] += np.float32(evidence)
            out[k + 2] += np.float32(in_value)
            out[k + 3] += np.float32(in_value_evidence)
            out[k + 4] += np.float32(liking)
        for i in range(5):
            out[k + i] = out[k + i] / np.float32(present) if present else np.nan
        k += 5
    return k


@kernel()
def read_object(
    counts: NDArray[np.float64],
    time: float,
    half_life: float,
    log_rate: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """The object's part of `candidate_columns`, from its row of counts."""
    out[k], out[k + 1] = single_rate(counts, time, half_life, log_rate)
    return k + 2


@kernel()
def read_pair(pair: np.int64, user_object: PairTable, out: NDArray[np.float32], k: int) -> int:
    """The explicit opinions of `candidate_columns`; `pair` is a slot or -1."""
    out[k] = user_object.rows[pair, UO_OPINION] if pair >= 0 else 0.0
    out[k + 1] = np.log1p(user_object.rows[pair, UO_SKIPS]) if pair >= 0 else 0.0
    return k + 2
