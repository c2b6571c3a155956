"""Which codes a net embeds: those that its training rows show often enough to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.mapped import stretches
from core.state.columns import Columns

MIN_ROWS = 2
"""A code shown by fewer training rows is unknown: an embedding of one row is memory, not knowledge.
On logs where most objects have one user it also keeps the tables, and so each step, small."""


_COUNTED_ROWS = 1 << 18
"""Rows counted at a time: enough that the vocabularies, counted anew each time, cost little."""


@dataclass(frozen=True)
class Codebook:
    """From codes to embedding rows.

    Attributes:
        rows: vocabulary -> (cardinality,) int32, the row of each code; 0 is unknown.
    """

    rows: Mapping[str, NDArray[np.int32]]

    def size(self, vocabulary: str) -> int:
        """Embedding rows of a vocabulary, the unknown one included."""
        return self.shown(vocabulary) + 1

    def shown(self, vocabulary: str) -> int:
        """Codes of a vocabulary that have a row of their own."""
        return int(self.rows[vocabulary].max(initial=0))


def fit_codebook(columns: Columns, codes: NDArray[np.int32]) -> Codebook:
    """Number the codes that at least MIN_ROWS rows of `codes`, (n, columns), show."""
    counts = {
        vocabulary: np.zeros(cardinality, np.int64)
        for vocabulary, cardinality in _cardinalities(columns).items()
    }
    for stretch in stretches(codes, _COUNTED_ROWS):
        for index, column in enumerate(columns.codes):
            count = counts[column.vocabulary]
            count += np.bincount(stretch[:, index], minlength=len(count))[: len(count)]
    rows = {}
    for vocabulary, count in counts.items():
        known = count >= MIN_ROWS
        known[0] = False
        rows[vocabulary] = np.where(known, np.cumsum(known), 0).astype(np.int32)
    return Codebook(rows)


def _cardinalities(columns: Columns) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for column in columns.codes:
        sizes[column.vocabulary] = max(sizes.get(column.vocabulary, 1), column.cardinality)
    return sizes
