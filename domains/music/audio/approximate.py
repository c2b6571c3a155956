"""InvertedLists: finds nearly all of the nearest vectors by looking at a share of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import faiss
import numpy as np
from numpy.typing import NDArray

PROBED_SHARE = 1 / 16
"""Of the lists that a search looks into."""
_SAMPLE_PER_LIST = 64
"""Vectors that the centre of a list is learnt from."""


@dataclass(frozen=True, eq=False)
class InvertedLists:
    """Vectors in lists, each around a centre; a search looks into the lists nearest to it."""

    vectors: NDArray[np.float32]
    """`(n, n_dimensions)`, unit length."""
    centres: NDArray[np.float32]
    """`(n_lists, n_dimensions)`."""
    lists: NDArray[np.int64]
    """`(n,)`, the list that each vector is in."""

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> InvertedLists:
        """Make the lists: the square root of the number of vectors, learnt from a sample."""
        n_lists = max(1, round(np.sqrt(len(vectors))))
        sample = np.random.default_rng(0).permutation(len(vectors))[: n_lists * _SAMPLE_PER_LIST]
        clusters = faiss.Kmeans(
            vectors.shape[1], n_lists, niter=10, seed=0, spherical=True, min_points_per_centroid=1
        )
        clusters.train(np.ascontiguousarray(vectors[np.sort(sample)]))
        centres = np.ascontiguousarray(clusters.centroids, dtype=np.float32)
        _, nearest = _flat(centres).search(vectors, 1)
        return cls(vectors, centres, nearest[:, 0])

    @cached_property
    def _index(self) -> tuple[faiss.IndexIVFFlat, faiss.IndexFlatIP]:
        dimensions = self.vectors.shape[1]
        quantizer = _flat(self.centres)
        index = faiss.IndexIVFFlat(
            quantizer, dimensions, len(self.centres), faiss.METRIC_INNER_PRODUCT
        )
        index.is_trained = True
        index.add_core(
            len(self.vectors),
            faiss.swig_ptr(self.vectors),
            None,
            faiss.swig_ptr(self.lists),
        )
        return index, quantizer  # the index does not keep the quantizer alive

    def nearest(
        self, query: NDArray[np.float32], most: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.intp]:
        """Return rows `(m,)` of nearly the `most` nearest allowed vectors, in no order."""
        index, _ = self._index
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        parameters = faiss.SearchParametersIVF(
            nprobe=max(1, round(PROBED_SHARE * len(self.centres))),
            sel=None if bits is None else faiss.IDSelectorBitmap(bits),
        )
        _, rows = index.search(query[np.newaxis], most, params=parameters)
        found: NDArray[np.intp] = rows[0][rows[0] >= 0]
        return found


def _flat(centres: NDArray[np.float32]) -> faiss.IndexFlatIP:
    index = faiss.IndexFlatIP(centres.shape[1])
    index.add(centres)
    return index
