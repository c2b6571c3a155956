"""From scores of all objects to lists: the best of those that a mode allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from core.lists.baselines.history import History
from core.lists.protocol import Mode

BLOCK = 128
"""Users whose scores are in memory at once."""

Setting = str | float
Settings = Mapping[str, Setting]


class Scorer(Protocol):
    """What a fitted baseline says of every object."""

    def scores(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n_users, c) scores over the columns of the history, the higher the better."""
        ...


@dataclass(frozen=True)
class Baseline:
    """A method and the settings it is tried with."""

    name: str
    grid: Mapping[str, tuple[Setting, ...]]
    """Setting -> values, in order; a search begins in the middle."""
    prepare: Callable[[History], Callable[[Settings], Scorer]]
    """A history -> what fits the method with given settings on it."""


@dataclass(frozen=True)
class SparseScores:
    """Scores that are a sparse matrix over all users."""

    matrix: sp.csr_matrix

    def scores(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """See Scorer."""
        dense: NDArray[np.float32] = self.matrix[users].toarray()
        return dense


@dataclass(frozen=True)
class TunedLists:
    """A baseline as a list recommender: its best settings in each mode, fitted on a history."""

    name: str
    history: History
    scorers: Mapping[Mode, Scorer]

    def recommend(self, users: NDArray[np.int64], k: int, mode: Mode) -> NDArray[np.int32]:
        """See ListRecommender; modes that nobody tuned are an error."""
        return lists_of(self.scorers[mode], self.history, users, k, [mode])[mode]


def lists_of(
    scorer: Scorer, history: History, users: NDArray[np.int64], k: int, modes: Iterable[Mode]
) -> dict[Mode, NDArray[np.int32]]:
    """Mode -> (n_users, k) object indices of the log, best first, -1 where a list ends."""
    lists = {mode: np.full((len(users), k), -1, np.int32) for mode in modes}
    names = np.append(history.objects, np.int32(-1))
    for start in range(0, len(users), BLOCK):
        block = users[start : start + BLOCK]
        scores = scorer.scores(block)
        had = history.counts[block]
        for mode, out in lists.items():
            best = _best_columns(
                scores, had.indptr, had.indices, mode is Mode.REPEAT, mode is Mode.EXPLORE, k
            )
            out[start : start + BLOCK] = names[best]
    return lists


@njit(cache=True)
def _best_columns(
    scores: NDArray[np.float32],
    had_starts: NDArray[np.int32],
    had_columns: NDArray[np.int32],
    only_had: bool,
    never_had: bool,
    k: int,
) -> NDArray[np.int64]:
    """(b, k) the best columns of each row, -1 where none is left; equal scores by column."""
    n_rows, n_columns = scores.shape
    best = np.full((n_rows, k), -1, np.int64)
    values = np.empty(k, np.float32)
    columns = np.empty(k, np.int64)
    is_had = np.zeros(n_columns, np.bool_)
    for row in range(n_rows):
        own = had_columns[had_starts[row] : had_starts[row + 1]]
        is_had[own] = True
        size = 0
        for column in range(n_columns):
            if (only_had and not is_had[column]) or (never_had and is_had[column]):
                continue
            value = scores[row, column]
            if size < k:
                values[size], columns[size] = value, column
                size += 1
                if size == k:
                    for root in range(k // 2 - 1, -1, -1):
                        _sink(values, columns, root, k)
            elif value > values[0]:
                values[0], columns[0] = value, column
                _sink(values, columns, 0, k)
        is_had[own] = False
        if size < k:
            for root in range(size // 2 - 1, -1, -1):
                _sink(values, columns, root, size)
        for last in range(size - 1, -1, -1):
            best[row, last] = columns[0]
            values[0], columns[0] = values[last], columns[last]
            _sink(values, columns, 0, last)
    return best


@njit(cache=True)
def _sink(values: NDArray[np.float32], columns: NDArray[np.int64], root: int, size: int) -> None:
    """Restore a heap whose worst entry is the root: lower value, then later column."""
    while True:
        worst = root
        for child in (2 * root + 1, 2 * root + 2):
            if child < size and (
                values[child] < values[worst]
                or (values[child] == values[worst] and columns[child] > columns[worst])
            ):
                worst = child
        if worst == root:
            return
        values[root], values[worst] = values[worst], values[root]
        columns[root], columns[worst] = columns[worst], columns[root]
        root = worst
