"""Vectors with the largest products: exactly by a matrix product, by faiss beyond a size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from core.retrieval.largest import largest
from core.retrieval.tensors import load_tensors, save_tensors

PROBED = 16
"""Lists of the inverted file that a search looks through."""
_PER_LIST = 1000
_EMPTY = np.zeros(0, np.uint8)


@dataclass(frozen=True)
class NearestVectors:
    """A search over vectors that do not change.

    Attributes:
        vectors: (n, size) float32; zero rows are never found.
        known: (n,) whether a row is not zero.
        lists: serialised faiss inverted file over the vectors, empty where the search is exact.
    """

    vectors: NDArray[np.float32]
    known: NDArray[np.bool_]
    lists: NDArray[np.uint8]
    search: faiss.IndexIVFFlat | None

    @classmethod
    def over(
        cls, vectors: NDArray[np.float32], *, exact_up_to: int, seed: int = 0
    ) -> NearestVectors:
        """Make the search: exact for so many vectors, approximate for more."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        if len(vectors) <= exact_up_to:
            return cls.restored(vectors, _EMPTY)
        known = np.flatnonzero(vectors.any(axis=1))
        size = vectors.shape[1]
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(size),
            size,
            max(len(known) // _PER_LIST, 1),
            faiss.METRIC_INNER_PRODUCT,
        )
        index.cp.seed = seed + 1
        index.train(vectors[known])
        index.add_with_ids(vectors[known], known)
        return cls.restored(vectors, faiss.serialize_index(index))

    @classmethod
    def restored(cls, vectors: NDArray[np.float32], lists: NDArray[np.uint8]) -> NearestVectors:
        """The search that stored vectors and lists make."""
        search = faiss.deserialize_index(lists) if len(lists) else None
        return cls(vectors, np.asarray(vectors.any(axis=1)), lists, search)

    def save(self, file: Path) -> None:
        """Write one safetensors file."""
        save_tensors(file, {"vectors": self.vectors, "lists": self.lists})

    @classmethod
    def load(cls, file: Path) -> NearestVectors:
        """Read what `save` wrote; BundleError when it cannot be read."""
        return cls.restored(*load_tensors(file, "vectors", "lists"))

    def nearest(
        self,
        to: NDArray[np.floating],
        limit: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """At most `limit` rows by falling product with a vector (size,), and the products.

        Ties by rising row. `allowed` (at least n,) says which rows may be found.
        """
        asked = np.ascontiguousarray(to, np.float32)
        if self.search is None:
            return self._exactly(asked, limit, allowed)
        parameters = faiss.SearchParametersIVF(nprobe=PROBED)
        if allowed is not None:
            bits = np.packbits(allowed[: len(self.vectors)], bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
            parameters = faiss.SearchParametersIVF(nprobe=PROBED, sel=selector)
        found, rows = self.search.search(asked[None], limit, params=parameters)
        order = np.lexsort((rows[0], -found[0]))
        order = order[rows[0][order] >= 0]
        return rows[0][order], found[0][order]

    def _exactly(
        self, asked: NDArray[np.float32], limit: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        scores = self.vectors @ asked
        found = self.known if allowed is None else self.known & allowed[: len(self.known)]
        rows: NDArray[np.int64] = largest(scores, found, limit)
        return rows, scores[rows]
