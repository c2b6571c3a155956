"""Sparse matrices whose products with dense ones take two threads: the same bits, row by row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_MIN_ENTRIES = 100_000
"""Below it a second thread costs more than it saves."""


class RowMatrix(csr_matrix):  # type: ignore[misc]  # SciPy has no types
    """A csr matrix that does not change, for many products with (columns, k) arrays.

    Each half of its entries has a thread: a row is summed by one of them, in the order of its
    entries. Its transpose lies in rows as well, which takes half the time of columns.
    """

    def __matmul__(self, other: NDArray[np.floating]) -> NDArray[np.floating]:
        """(rows, k), for (columns, k); all else as SciPy does it."""
        if not isinstance(other, np.ndarray) or other.ndim != 2 or self.nnz < _MIN_ENTRIES:
            product: NDArray[np.floating] = super().__matmul__(other)
            return product
        upper, lower = self._halves
        with ThreadPoolExecutor(max_workers=1) as second:
            below = second.submit(lower.__matmul__, other)
            above = upper @ other
            return np.concatenate([above, below.result()])

    def transpose(self, axes: None = None, copy: bool = False) -> RowMatrix:
        """The transpose, made once."""
        del axes, copy
        return self._transposed

    @cached_property
    def _transposed(self) -> RowMatrix:
        return RowMatrix(super().transpose())

    @cached_property
    def _halves(self) -> tuple[csr_matrix, csr_matrix]:
        """The rows above and below the middle of the entries; the entries are not copied."""
        middle = int(np.searchsorted(self.indptr, self.nnz // 2))
        return self._rows(0, middle), self._rows(middle, self.shape[0])

    def _rows(self, start: int, stop: int) -> csr_matrix:
        bounds = self.indptr[start : stop + 1]
        entries = slice(int(bounds[0]), int(bounds[-1]))
        return csr_matrix(
            (self.data[entries], self.indices[entries], bounds - bounds[0]),
            shape=(stop - start, self.shape[1]),
        )
