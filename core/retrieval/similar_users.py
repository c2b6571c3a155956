"""Similar users: who buys or plays alike, and what each of them does often.

The neighbourhood of TIFU-kNN (Hu et al., "Modeling Personalized Item Frequency Information for
Next-basket Recommendation", SIGIR 2020): users lie near to each other when their decayed personal
frequencies are alike. Here the frequencies are weighted by how telling an object is and laid onto
the axes on which users differ most, so that looking up neighbours costs one small product.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.utils.extmath import randomized_svd

from core.retrieval.meetings import Meetings
from core.retrieval.nearest import NearestVectors
from core.retrieval.rows import SparseRows, sparse_rows
from core.retrieval.tensors import load_tensors, save_tensors

AXES = 64
HABITS = 200
"""Objects kept of each user, those met most of late."""
EXACT_UP_TO = 200_000
"""Users among whom an exact product finds the nearest."""
_FILE, _HABITS_FILE = "similar_users.safetensors", "habits.safetensors"


@dataclass(frozen=True)
class SimilarUsers:
    """All users of one moment, to be looked up by anybody's present taste.

    Attributes:
        users: over (n_users, axes) tastes of unit length; zero for who has met nothing.
        axes: (n_objects, axes) float32, from frequencies to a taste; telling objects weigh more.
        habits: of each user the HABITS largest decayed frequencies.
    """

    users: NearestVectors
    axes: NDArray[np.float32]
    habits: SparseRows

    def taste_of(
        self, objects: NDArray[np.int32], decayed: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(axes,) of unit length: of who met these objects (m,) so often of late (m,), or zero."""
        known = objects < len(self.axes)
        taste = np.log1p(decayed[known]) @ self.axes[objects[known]].astype(np.float64)
        length = np.linalg.norm(taste)
        return taste / length if length > 0.0 else taste

    def frequencies(
        self, taste: NDArray[np.float64], user: int, neighbours: int
    ) -> NDArray[np.float64]:
        """(n_objects,) mean frequencies of the nearest users, weighted by their similarity.

        Args:
            taste: (axes,) see `taste_of`.
            user: who asks; never a neighbour of their own.
            neighbours: how many are looked at; those that point away count for nothing.
        """
        found, similarity = self.users.nearest(taste, neighbours + 1)
        other = (found != user) & (similarity > 0.0)
        rows = found[other][:neighbours]
        weights = similarity[other][:neighbours].astype(np.float64)
        total = float(weights.sum())
        if total == 0.0:
            return np.zeros(self.habits.width)
        return self.habits.sum_of(rows, weights / total)

    def save(self, directory: Path) -> None:
        """Write two safetensors files."""
        tensors: dict[str, NDArray[Any]] = {
            "users": self.users.vectors,
            "lists": self.users.lists,
            "axes": self.axes,
        }
        save_tensors(directory / _FILE, tensors)
        self.habits.save(directory / _HABITS_FILE)

    @classmethod
    def load(cls, directory: Path) -> SimilarUsers:
        """Read what `save` wrote; BundleError when it cannot be read."""
        users, lists, axes = load_tensors(directory / _FILE, "users", "lists", "axes")
        habits = SparseRows.load(directory / _HABITS_FILE)
        return cls(NearestVectors.restored(users, lists), axes, habits)


def fit_similar_users(meetings: Meetings, seed: int) -> SimilarUsers:
    """Lay all users onto the axes on which their frequencies differ most."""
    n_objects = meetings.counts.shape[1]
    active = max(int(np.count_nonzero(np.diff(meetings.counts.indptr))), 1)
    owners = np.bincount(meetings.counts.indices, minlength=n_objects)
    # What everybody has tells nothing of anybody. One more than all, so that tiny logs tell a bit.
    telling = np.where(owners > 0, np.log((active + 1.0) / np.maximum(owners, 1)), 0.0)
    frequencies = meetings.decayed.copy()
    frequencies.data = np.log1p(frequencies.data)
    weighted = frequencies @ diags(telling)
    axes = np.zeros((n_objects, AXES), np.float32)
    rank = min(AXES, *(max(size - 1, 0) for size in meetings.counts.shape))
    if rank and weighted.nnz:
        lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        scaled = csr_matrix(diags(1.0 / np.maximum(lengths, 1e-12)) @ weighted, dtype=np.float32)
        _, _, right = randomized_svd(scaled, rank, n_iter=3, random_state=seed)
        axes[:, :rank] = (right * telling).T
    tastes = np.asarray(frequencies @ axes, np.float32)
    lengths = np.linalg.norm(tastes, axis=1, keepdims=True)
    tastes /= np.where(lengths > 0.0, lengths, 1.0)
    return SimilarUsers(
        NearestVectors.over(tastes, exact_up_to=EXACT_UP_TO, seed=seed),
        axes,
        sparse_rows(meetings.decayed, HABITS),
    )
