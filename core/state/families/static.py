"""Static: what is declared of user and object, missing flags, time since a declared moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Field, Kind, Schema
from core.state.columns import Family, NumberColumn
from core.state.compiling import kernel


def _columns(fields: tuple[Field, ...], prefix: str, branch: Branch) -> list[NumberColumn]:
    columns = []
    for field in fields:
        if field.kind not in (Kind.NUMBER, Kind.TIMESTAMP):
            continue
        is_time = field.kind is Kind.TIMESTAMP
        name = f"{prefix}_{field.name}"
        # An age grows with the request's time: nets must not cache what they make of it.
        of = Branch.CONTEXT if is_time and branch is Branch.OBJECT else branch
        columns.append(NumberColumn(f"{name}_age" if is_time else name, Family.STATIC, of))
        columns.append(NumberColumn(f"{name}_missing", Family.STATIC, branch))
    return columns


def user_columns(schema: Schema) -> list[NumberColumn]:
    """Value (log1p age in seconds for timestamps) and missing flag of each user number."""
    return _columns(schema.user, "user", Branch.USER)


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None: the context is read as codes."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """Value (log1p age in seconds for timestamps) and missing flag of each object number."""
    return _columns(schema.object, "object", Branch.OBJECT)


@kernel()
def write_numbers(
    numbers: NDArray[np.float64],
    is_time: NDArray[np.bool_],
    time: float,
    out: NDArray[np.float32],
    k: int,
) -> int:
    """Write value and missing flag of each attribute, timestamps as log1p of their age.

    Reads users and candidates alike; returns the next free column.
    """
    for i in range(len(numbers)):
        value = numbers[i]
        if is_time[i]:
            value = np.log1p(max(time - value, 0.0))
        out[k] = value
        out[k + 1] = 1.0 if np.isnan(value) else 0.0
        k += 2
    return k
