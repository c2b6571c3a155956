"""TIFU-kNN: item frequencies that fade by visits and groups of visits, with those of neighbours.

Haoji Hu, Xiangnan He, Jinyang Gao and Zhi-Li Zhang, "Modeling Personalized Item Frequency
Information for Next-basket Recommendation", SIGIR 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from core.lists.baselines.history import History
from core.lists.baselines.scored import Baseline, Scorer, Settings

MOST_NEIGHBOURS = 900


@dataclass(frozen=True)
class NeighbourMix:
    """alpha times the user's own vector and 1 - alpha times the mean of the nearest users'.

    Attributes:
        vectors: (n_users, c) float32.
        neighbours: (n_users, n_users) float32, 1 / k at the k nearest of each user.
    """

    vectors: sp.csr_matrix
    neighbours: sp.csr_matrix
    alpha: float

    def scores(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """See Scorer."""
        own = self.vectors[users].toarray() * np.float32(self.alpha)
        if self.alpha == 1.0:
            return np.asarray(own, np.float32)
        near = (self.neighbours[users] @ self.vectors).toarray()
        return np.asarray(own + near * np.float32(1.0 - self.alpha), np.float32)


def user_vectors(
    history: History, groups: int, within_decay: float, group_decay: float
) -> sp.csr_matrix:
    """(n_users, c) the mean over groups of the faded means of the visits within them.

    A user's n visits are parted into min(n, groups) groups in order of time, as equal as can be,
    the larger ones last. A visit counts `within_decay` for each visit that follows it in its
    group, a group `group_decay` for each group that follows it.
    """
    n = history.visits[history.user]
    n_groups = np.minimum(n, groups)
    small, larger = np.divmod(n, n_groups)  # size of the smaller groups, number of larger ones
    in_small = (n_groups - larger) * small  # visits in the smaller groups
    beyond = history.visit - in_small
    is_small = beyond < 0
    group = np.where(is_small, history.visit // small, n_groups - larger + beyond // (small + 1))
    size = np.where(is_small, small, small + 1)
    place = np.where(is_small, history.visit % small, beyond % (small + 1))
    weights = (
        np.power(within_decay, size - 1 - place)
        / size
        * np.power(group_decay, n_groups - 1 - group)
        / n_groups
    )
    return history.matrix(weights)


def nearest_users(vectors: sp.csr_matrix, most: int) -> NDArray[np.int64]:
    """(n_users, k) the users of the least Euclidean distance, the nearest first.

    Neither the user nor users without a past are neighbours: k is `most`, or how many are left.
    """
    lengths = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    n = vectors.shape[0]
    usable = np.flatnonzero(lengths > 0)
    k = min(most, max(len(usable) - 1, 0))
    columns = np.empty((n, k), np.int64)
    for start in range(0, n, 512):
        block = np.arange(start, min(start + 512, n))
        products = (vectors[block] @ vectors[usable].T).toarray()
        distance = lengths[usable] - 2.0 * products  # and the user's own length, alike for all
        distance[usable[None, :] == block[:, None]] = np.inf
        columns[block] = usable[np.argsort(distance, axis=1, kind="stable")[:, :k]]
    return columns


def mean_over(nearest: NDArray[np.int64]) -> sp.csr_matrix:
    """(n_users, n_users) float32 1 / k at the k neighbours (n_users, k) of each user."""
    n, k = nearest.shape
    data = np.full(n * k, 1.0 / max(k, 1), np.float32)
    return sp.csr_matrix((data, nearest.ravel(), np.arange(n + 1) * k), shape=(n, n))


def _tifu(history: History) -> Callable[[Settings], Scorer]:
    # Vectors and neighbours serve all settings that differ in how these are mixed.
    @lru_cache(maxsize=1)
    def vectors_of(
        groups: int, within_decay: float, group_decay: float
    ) -> tuple[sp.csr_matrix, NDArray[np.int64]]:
        vectors = user_vectors(history, groups, within_decay, group_decay)
        return vectors, nearest_users(vectors, MOST_NEIGHBOURS)

    def fit(settings: Settings) -> Scorer:
        vectors, nearest = vectors_of(
            int(settings["groups"]),
            float(settings["within_decay"]),
            float(settings["group_decay"]),
        )
        near = mean_over(nearest[:, : int(settings["neighbours"])])
        return NeighbourMix(vectors, near, float(settings["alpha"]))

    return fit


TIFU_KNN = Baseline(
    "TIFU-kNN",
    {
        "groups": (3.0, 7.0, 15.0, 30.0, 60.0),
        "within_decay": (0.8, 0.9, 0.95, 1.0),
        "group_decay": (0.3, 0.5, 0.7, 0.8, 0.9, 1.0),
        "neighbours": (10.0, 25.0, 50.0, 100.0, 300.0, 900.0),
        "alpha": (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
    },
    _tifu,
)
