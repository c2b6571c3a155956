"""Sparse rows of weighted objects, summed by kernels in fixed order: nothing depends on batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from core.retrieval.tensors import load_tensors, save_tensors
from core.state.compiling import allocating_kernel


@dataclass(frozen=True)
class SparseRows:
    """For each of n rows some objects with weights; within a row by rising object index.

    Attributes:
        starts: (n + 1,) int64, where each row begins.
        objects: (m,) int32.
        weights: (m,) float32.
        width: objects known when the rows were made; all indices lie below.
    """

    starts: NDArray[np.int64]
    objects: NDArray[np.int32]
    weights: NDArray[np.float32]
    width: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def sum_of(
        self, rows: NDArray[np.integer], factors: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(width,) sum of factors (r,) times rows (r,); rows that do not exist add nothing."""
        exists = (rows >= 0) & (rows < len(self))
        out: NDArray[np.float64] = _sum_rows(
            self.starts,
            self.objects,
            self.weights,
            rows[exists].astype(np.int64),
            factors[exists].astype(np.float64),
            self.width,
        )
        return out

    def save(self, file: Path) -> None:
        """Write one safetensors file."""
        save_tensors(
            file,
            {
                "starts": self.starts,
                "objects": self.objects,
                "weights": self.weights,
                "width": np.array([self.width]),
            },
        )

    @classmethod
    def load(cls, file: Path) -> SparseRows:
        """Read what `save` wrote; BundleError when it cannot be read."""
        starts, objects, weights, width = load_tensors(
            file, "starts", "objects", "weights", "width"
        )
        return cls(starts, objects, weights, int(width[0]))


def sparse_rows(matrix: csr_matrix, largest: int | None = None) -> SparseRows:
    """Rows of a matrix (n, objects) without zeros; each row's `largest` weights, all by default."""
    matrix = csr_matrix(matrix, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    starts = matrix.indptr.astype(np.int64)
    objects, weights = matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
    if largest is not None:
        kept = _largest(starts, objects, weights, largest)
        starts = np.concatenate([[0], np.cumsum(kept)])[starts]
        objects, weights = objects[kept], weights[kept]
    return SparseRows(starts, objects, weights, matrix.shape[1])


@allocating_kernel()
def _largest(
    starts: NDArray[np.int64],
    objects: NDArray[np.int32],
    weights: NDArray[np.float32],
    count: int,
) -> NDArray[np.bool_]:
    """(m,) which entries are among the largest of their row; of ties the lower objects."""
    kept = np.ones(len(objects), np.bool_)
    for row in range(len(starts) - 1):
        start, stop = starts[row], starts[row + 1]
        if stop - start > count:
            order = np.argsort(-weights[start:stop], kind="mergesort")
            for place in order[count:]:
                kept[start + place] = False
    return kept


@allocating_kernel()
def _sum_rows(
    starts: NDArray[np.int64],
    objects: NDArray[np.int32],
    weights: NDArray[np.float32],
    rows: NDArray[np.int64],
    factors: NDArray[np.float64],
    width: int,
) -> NDArray[np.float64]:
    total = np.zeros(width)
    for i in range(len(rows)):
        for place in range(starts[rows[i]], starts[rows[i] + 1]):
            total[objects[place]] += factors[i] * np.float64(weights[place])
    return total


@allocating_kernel()
def products(
    vectors: NDArray[np.float32], objects: NDArray[np.int32], liked: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(n,) products of a taste and the vectors of objects (n,), each summed in the same order.

    NaN for objects without a vector: those that came after the fit, and zero rows.
    """
    out = np.full(len(objects), np.nan, np.float32)
    for i in range(len(objects)):
        if objects[i] < len(vectors):
            total = 0.0
            known = False
            for axis in range(vectors.shape[1]):
                total += liked[axis] * np.float64(vectors[objects[i], axis])
                known = known or vectors[objects[i], axis] != 0.0
            if known:
                out[i] = total
    return out


def looked_up(dense: NDArray[np.floating], objects: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n,) the entries of objects (n,); NaN for objects that came after the fit."""
    within = objects < len(dense)
    out = np.full(len(objects), np.nan, np.float32)
    out[within] = dense[objects[within]]
    return out
