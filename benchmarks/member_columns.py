"""A layout as wide as music's for the members' benchmarks: 280 numbers, 25 codes."""

from __future__ import annotations

import numpy as np

from core.models import Examples
from core.schema import Branch
from core.state.columns import CodeColumn, Columns, Family, NumberColumn
from core.testing import random_batch, with_labels

NUMBERS = {Branch.USER: 120, Branch.OBJECT: 100, Branch.CONTEXT: 60}
CODES = {
    Branch.USER: [5000, 22, 4, 6, 75],
    Branch.OBJECT: [50_000, 9000, 150, 150, 150, 12, 6000, 5000, 60, 900],
    Branch.CONTEXT: [50_000, 9, 21, 13, 9, 21, 13, 150, 12, 9000],
}


def wide_columns() -> Columns:
    """The first code of each branch is an identity; a tenth of the context needs the request."""
    numbers = [
        NumberColumn(f"{b}_{i}", Family.ACTIVITY, b, b is Branch.CONTEXT and i < 6)
        for b, count in NUMBERS.items()
        for i in range(count)
    ]
    codes = [
        CodeColumn(f"{b}_code_{i}", Family.STATIC, b, size, f"{b}_{size}", is_identity=i == 0)
        for b, sizes in CODES.items()
        for i, size in enumerate(sizes)
    ]
    return Columns(tuple(numbers), tuple(codes))


def wide_examples(columns: Columns, n_rows: int, seed: int) -> Examples:
    """Rows whose labels follow a dot product, a product of contexts and forty weak columns."""
    batch = random_batch(columns, n_rows, seed)
    x = np.nan_to_num(batch.numbers)
    weak = np.random.default_rng(0).normal(0, 0.1, 40)
    logits = 0.4 * np.sum(x[:, 40:48] * x[:, 140:148], axis=1) + x[:, 220] * x[:, 221]
    return with_labels(batch, logits + x[:, :40] @ weak, seed)
