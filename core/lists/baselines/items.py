"""Item-item: objects that the users of the user's objects had too; alone, and with the own past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import all_pairs_knn, bm25_weight, tfidf_weight
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from core.lists.baselines.history import History
from core.lists.baselines.personal import FADED_GRID, fading
from core.lists.baselines.scored import Baseline, Scorer, Setting, Settings, SparseScores

MOST_NEIGHBOURS = 100
"""Of an object; settings that ask for fewer take the nearest of these."""

Weigh = Callable[[sp.csr_matrix], sp.csr_matrix]
"""(c, n_users) counts -> weights; similarities of objects are products of their rows."""


@dataclass(frozen=True)
class ItemScores:
    """A user's objects (n_users, c), each passing its weight on to its neighbours (c, c)."""

    taken: sp.csr_matrix
    neighbours: sp.csr_matrix

    def scores(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """See Scorer."""
        return np.asarray((self.taken[users] @ self.neighbours).toarray(), np.float32)


def neighbours_of(counts: sp.csr_matrix, weigh: Weigh, most: int) -> sp.csr_matrix:
    """(c, c) float32 the similarities of each object to the `most` nearest, itself among them."""
    weighted = weigh(counts.T.astype(np.float64)).T.tocsr()
    found = all_pairs_knn(weighted, most, show_progress=False, num_threads=1).tocsr()
    return found.astype(np.float32)


def ranks_within_rows(matrix: sp.csr_matrix) -> NDArray[np.int64]:
    """(nnz,) the rank of each value within its row, 0 the largest; of equals the first."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(rank - matrix.indptr[row], np.int64)


def cosine(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Rows of length one: products are cosines."""
    return normalize(matrix)


def tf_idf(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Cosines of counts that weigh the less, the more objects a user had."""
    return normalize(tfidf_weight(matrix))


def bm25(matrix: sp.csr_matrix, *, k1: float, b: float) -> sp.csr_matrix:
    """Okapi BM25: counts saturate, long rows are discounted; products are not cosines."""
    return bm25_weight(matrix, K1=k1, B=b)


class _Similarities:
    """The neighbours of a history's objects, remembered for the settings that come next."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._key: tuple[object, ...] = ()
        self._found: sp.csr_matrix | None = None
        self._ranks = np.zeros(0, np.int64)

    def of(self, key: tuple[object, ...], how: str, weigh: Weigh, most: int) -> sp.csr_matrix:
        """(c, c) each object's `most` nearest; `key` tells apart what they depend on."""
        if self._key != key or self._found is None:
            self._found = neighbours_of(self._history.weighted(how), weigh, MOST_NEIGHBOURS)
            self._ranks = ranks_within_rows(self._found)
            self._key = key
        kept = self._ranks < most
        starts = np.append(0, np.cumsum(kept))[self._found.indptr]
        return sp.csr_matrix(
            (self._found.data[kept], self._found.indices[kept], starts), shape=self._found.shape
        )


def _taken(history: History, how: Setting) -> sp.csr_matrix:
    """What the user's objects weigh: a way of counting, or a half-life in visits."""
    if isinstance(how, str):
        return history.weighted(how)
    return history.matrix(fading(history, {"clock": "visits", "half_life": how}))


def _items(history: History, weigh: Callable[[Settings], Weigh]) -> Callable[[Settings], Scorer]:
    similarities = _Similarities(history)

    def fit(settings: Settings) -> Scorer:
        counted = str(settings["similar_by"])
        key = (counted, *(settings.get(name) for name in ("k1", "b")))
        found = similarities.of(key, counted, weigh(settings), int(settings["neighbours"]))
        return ItemScores(_taken(history, settings["taken"]), found)

    return fit


def _blend(history: History) -> Callable[[Settings], Scorer]:
    similarities = _Similarities(history)

    def fit(settings: Settings) -> Scorer:
        own = history.matrix(fading(history, settings))
        weigh = tf_idf if settings["similarity"] == "tf-idf" else cosine
        key = (settings["similarity"],)
        found = similarities.of(key, "binary", weigh, int(settings["neighbours"]))
        return Blended(SparseScores(own), ItemScores(own, found), float(settings["items"]))

    return fit


@dataclass(frozen=True)
class Blended:
    """Two scorers, each as a share of the best score it gives the user."""

    first: Scorer
    second: Scorer
    weight: float
    """Of the second, in [0, 1]."""

    def scores(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """See Scorer."""
        parts = [np.float32(1.0 - self.weight) * _as_shares(self.first.scores(users))]
        parts.append(np.float32(self.weight) * _as_shares(self.second.scores(users)))
        return np.asarray(parts[0] + parts[1], np.float32)


def _as_shares(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    best = scores.max(axis=1, keepdims=True, initial=0.0)
    return np.asarray(scores / np.where(best > 0, best, 1.0), np.float32)


TAKEN: tuple[Setting, ...] = ("binary", "log", "counts", 20.0, 5.0, 2.0, 1.0)
ITEM_GRID: dict[str, tuple[Setting, ...]] = {
    "similar_by": ("counts", "binary"),
    "neighbours": (2.0, 5.0, 10.0, 20.0, 50.0, 100.0),
    "taken": TAKEN,
}
COSINE = Baseline("item-item cosine", ITEM_GRID, partial(_items, weigh=lambda _: cosine))
TF_IDF = Baseline("item-item TF-IDF", ITEM_GRID, partial(_items, weigh=lambda _: tf_idf))
BM25 = Baseline(
    "item-item BM25",
    {"k1": (1.2, 100.0), "b": (0.2, 0.75), **ITEM_GRID},
    partial(
        _items, weigh=lambda chosen: partial(bm25, k1=float(chosen["k1"]), b=float(chosen["b"]))
    ),
)
BLEND = Baseline(
    "decayed personal frequency + item-item",
    {
        "items": (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7),
        **FADED_GRID,
        "similarity": ("cosine", "tf-idf"),
        "neighbours": (5.0, 20.0, 100.0),
    },
    _blend,
)
