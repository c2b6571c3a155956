"""Helpers for tests and benchmarks: synthetic feature batches with planted signals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.models.base import Examples
from core.schema import Branch
from core.state.columns import CodeColumn, Columns, Family, FeatureBatch, NumberColumn


def synthetic_columns(
    *, numbers: int = 4, users: int = 40, objects: int = 60, categories: int = 6
) -> Columns:
    """A layout with every kind of column: `numbers` in each branch, ids, shared vocabularies.

    Context numbers are `context_0` ...; the first one and the surface are unknown without
    context.
    """
    return Columns(
        numbers=tuple(
            NumberColumn(
                f"{branch}_{i}",
                Family.ACTIVITY,
                branch,
                needs_context=branch is Branch.CONTEXT and i == 0,
            )
            for branch in Branch
            for i in range(numbers)
        ),
        codes=(
            _code("user_id", Branch.USER, users, "user", is_identity=True),
            _code("city", Branch.USER, categories, "city"),
            _code("object_id", Branch.OBJECT, objects, "object", is_identity=True),
            _code("genre_1", Branch.OBJECT, categories, "genre"),
            _code("genre_2", Branch.OBJECT, categories, "genre"),
            _code("surface", Branch.CONTEXT, categories, "surface", needs_context=True),
            _code("previous_object", Branch.CONTEXT, objects, "object", is_identity=True),
        ),
    )


def random_batch(columns: Columns, n_rows: int, seed: int) -> FeatureBatch:
    """Rows of normal numbers, a twentieth of them unknown, and uniform codes."""
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((n_rows, len(columns.numbers)), np.float32)
    numbers[rng.random(numbers.shape) < 0.05] = np.nan
    codes = np.empty((n_rows, len(columns.codes)), np.int32)
    for index, code in enumerate(columns.codes):
        codes[:, index] = rng.integers(0, code.cardinality, n_rows)
    return FeatureBatch(columns, numbers, codes)


def request_batch(columns: Columns, n_candidates: int, seed: int) -> FeatureBatch:
    """One user's candidates: USER columns alike, OBJECT columns a function of the object key."""
    batch = random_batch(columns, n_candidates, seed)
    catalogue = random_batch(columns, 10 * n_candidates, seed=0)
    keys = np.random.default_rng(seed).choice(len(catalogue), n_candidates, replace=False)
    for index, number_column in enumerate(columns.numbers):
        if number_column.branch is Branch.USER:
            batch.numbers[:, index] = batch.numbers[0, index]
        elif number_column.branch is Branch.OBJECT:
            batch.numbers[:, index] = catalogue.numbers[keys, index]
    for index, code_column in enumerate(columns.codes):
        if code_column.branch is Branch.USER:
            batch.codes[:, index] = batch.codes[0, index]
        elif code_column.branch is Branch.OBJECT:
            batch.codes[:, index] = catalogue.codes[keys, index]
    return FeatureBatch(columns, batch.numbers, batch.codes, keys.astype(np.int64), one_user=True)


def with_labels(batch: FeatureBatch, logits: NDArray[np.floating], seed: int) -> Examples:
    """Labels drawn with the probabilities that the logits (n,) mean."""
    chance = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
    labels = np.random.default_rng(seed).random(len(batch)) < chance
    return Examples(batch, labels.astype(np.float32))


def number(batch: FeatureBatch, name: str) -> NDArray[np.float64]:
    """One number column (n,) by name, unknown as 0."""
    names = [column.name for column in batch.columns.numbers]
    return np.nan_to_num(batch.numbers[:, names.index(name)].astype(np.float64))


def code(batch: FeatureBatch, name: str) -> NDArray[np.int32]:
    """One code column (n,) by name."""
    names = [column.name for column in batch.columns.codes]
    column: NDArray[np.int32] = batch.codes[:, names.index(name)]
    return column


def _code(
    name: str,
    branch: Branch,
    cardinality: int,
    vocabulary: str,
    *,
    needs_context: bool = False,
    is_identity: bool = False,
) -> CodeColumn:
    return CodeColumn(
        name, Family.STATIC, branch, cardinality, vocabulary, needs_context, is_identity
    )
