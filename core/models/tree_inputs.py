"""What all trees share: which columns they see, the matrix they take in, how many are enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import lightgbm
import numpy as np
from numpy.typing import NDArray

from core.mapped import release, stretches
from core.models.base import drawn
from core.state.columns import CodeColumn, Columns, FeatureBatch, NumberColumn

_COUNTED_ROWS = 1 << 16


def shown_categories(features: FeatureBatch, limit: int) -> tuple[str, ...]:
    """Names of the code columns of which these rows show at most `limit` codes, no identities.

    Counted from the rows of the fit: how many codes there will ever be is not known in the past.
    """
    columns = features.columns.codes
    shown = {i: np.zeros(0, np.int32) for i, c in enumerate(columns) if not c.is_identity}
    for stretch in stretches(features.codes, _COUNTED_ROWS):
        shown = {i: np.union1d(codes, stretch[:, i]) for i, codes in shown.items()}
        shown = {i: codes for i, codes in shown.items() if len(codes) <= limit}
    return tuple(columns[i].name for i in shown)


class TreeColumns:
    """Which columns trees see, in which order: numbers, then the codes declared categorical.

    Single axes of vectors are left out: they double the columns and add no quality.
    """

    def __init__(self, columns: Columns, categories: Sequence[str]) -> None:
        self._codes = np.flatnonzero([c.name in categories for c in columns.codes])
        chosen = [columns.codes[index] for index in self._codes]
        self._cardinalities = np.array([c.cardinality for c in chosen], np.int32)
        self._numbers = np.flatnonzero([not c.is_axis for c in columns.numbers])
        n_numbers = len(self._numbers)
        kept: list[NumberColumn | CodeColumn] = [columns.numbers[i] for i in self._numbers]
        kept += chosen
        self.names = [column.name for column in kept]
        self.families = [column.family for column in kept]
        self.categorical = list(range(n_numbers, n_numbers + len(chosen)))

    def matrix(
        self,
        batch: FeatureBatch,
        dtype: type[np.float32] | type[np.float64],
        order: Literal["C", "F"] = "C",
    ) -> NDArray[Any]:
        """Rows (n, len(names)), in memory one by one or, by `order`, column by column.

        Codes outside their vocabulary are unknown (0).
        """
        n_numbers = len(self._numbers)
        matrix = np.empty((len(batch), len(self.names)), dtype, order)
        matrix[:, :n_numbers] = batch.numbers[:, self._numbers]
        codes = batch.codes[:, self._codes]
        matrix[:, n_numbers:] = np.where((codes < 0) | (codes >= self._cardinalities), 0, codes)
        return matrix


def fewest_rounds(losses: Sequence[float], tolerance: float) -> int:
    """The first round whose loss is within `tolerance` of the best of all."""
    return 1 + int(np.argmax(np.asarray(losses) <= min(losses) + tolerance))


class MaskedRows(lightgbm.Sequence):
    """Rows to fit trees on, read piece by piece: LightGBM bins them without a copy of the log.

    A share of them, drawn once from the seed, has lost its context.
    """

    batch_size = 8192

    def __init__(
        self, layout: TreeColumns, features: FeatureBatch, *, share: float, seed: int
    ) -> None:
        self._layout = layout
        self._features = features
        self._is_masked = drawn(seed, "context").random(len(features)) < share

    def __len__(self) -> int:
        return len(self._features)

    def __getitem__(self, rows: int | slice | list[int]) -> NDArray[np.float64]:
        chosen = slice(rows, rows + 1) if isinstance(rows, int | np.integer) else rows
        index = np.asarray(chosen, np.intp) if isinstance(chosen, list) else chosen
        read, is_masked = self._features.take(index), self._is_masked[index]
        piece = read
        if is_masked.any():
            piece = piece.without_context(is_masked)
        matrix: NDArray[np.float64] = self._layout.matrix(piece, np.float64)
        release(read.numbers, read.codes)
        return matrix if chosen is rows else matrix[0]

    def dense(self) -> NDArray[np.float32]:
        """All rows (n, columns), column by column in memory, for libraries that want them whole."""
        n_rows = len(self)
        matrix = np.empty((n_rows, len(self._layout.names)), np.float32, order="F")
        for begin in range(0, n_rows, self.batch_size):
            piece = slice(begin, min(begin + self.batch_size, n_rows))
            matrix[piece] = self[piece]
        return matrix
