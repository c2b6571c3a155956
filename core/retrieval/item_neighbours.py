"""Item-to-item: for each object the objects that the same users met, by cosine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from implicit.nearest_neighbours import all_pairs_knn
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix

from core.errors import BundleError
from core.state.arrays import UO_COUNT, StateArrays
from core.state.hashing import stored_pairs

NEIGHBOURS = 50
"""Neighbours kept for each object."""
MAX_HISTORY = 500
"""Objects of a user that count: the few with longer histories would cost the square of them."""
MIN_USERS = 2
"""Objects met by fewer users have no neighbours: one user's list is no evidence."""
_FILE = "item_neighbours.safetensors"


@dataclass(frozen=True)
class ItemNeighbours:
    """For each object index its nearest ones.

    Attributes:
        neighbours: (n_objects, NEIGHBOURS) int32, best first, 0 where there are no more.
        cosines: (n_objects, NEIGHBOURS) float32.
    """

    neighbours: NDArray[np.int32]
    cosines: NDArray[np.float32]

    def save(self, directory: Path) -> None:
        """Write one safetensors file."""
        tensors = {"neighbours": self.neighbours, "cosines": self.cosines}
        save_file(tensors, directory / _FILE)

    @classmethod
    def load(cls, directory: Path) -> ItemNeighbours:
        """Read what `save` wrote; BundleError when it cannot be read."""
        try:
            tensors = load_file(directory / _FILE)
            return cls(tensors["neighbours"], tensors["cosines"])
        except Exception as error:  # safetensors raises its own, undocumented kinds
            raise BundleError(f"{directory / _FILE} cannot be read: {error}") from error

    def of(self, obj: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Neighbours and cosines (at most NEIGHBOURS,) of an object; none for later objects."""
        if obj >= len(self.neighbours):
            return self.neighbours[:0, 0], self.cosines[:0, 0]
        count = int(np.count_nonzero(self.neighbours[obj]))
        return self.neighbours[obj, :count], self.cosines[obj, :count]


def build_item_neighbours(arrays: StateArrays) -> ItemNeighbours:
    """Cosine of the user sets: |users of both| / sqrt(|users of a| * |users of b|)."""
    users, objects, _ = stored_pairs(arrays.user_object, arrays.user_object.rows[:, UO_COUNT])
    n_objects = len(arrays.objects.counts)
    keep = _bounded(users)
    popular = np.bincount(objects[keep], minlength=n_objects) >= MIN_USERS
    keep &= popular[objects]
    shape = (len(arrays.users.counts), n_objects)
    matrix = csr_matrix((np.ones(int(keep.sum()), np.float32), (users[keep], objects[keep])), shape)
    norms = np.sqrt(np.asarray(matrix.sum(axis=0)).ravel())
    scale = np.where(norms > 0, 1.0 / np.maximum(norms, 1.0), 0.0).astype(np.float32)
    matrix = csr_matrix(matrix.multiply(scale[None, :]), dtype=np.float64)
    neighbours = np.zeros((n_objects, NEIGHBOURS), np.int32)
    cosines = np.zeros((n_objects, NEIGHBOURS), np.float32)
    # One more than are kept, for each object is its own nearest.
    similar = all_pairs_knn(matrix, NEIGHBOURS + 1, show_progress=False, num_threads=1).tocsr()
    for row in np.flatnonzero(popular).tolist():
        span = slice(similar.indptr[row], similar.indptr[row + 1])
        others, values = similar.indices[span], similar.data[span]
        other = (others != row) & (values > 0.0)
        others, values = others[other], values[other]
        # By cosine, then by index: ties never depend on the order of the sparse product.
        best = np.lexsort((others, -values))[:NEIGHBOURS]
        neighbours[row, : len(best)] = others[best]
        cosines[row, : len(best)] = values[best]
    return ItemNeighbours(neighbours, cosines)


def _bounded(users: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n_pairs,) the first MAX_HISTORY pairs of each user; `users` is sorted."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(users) > 0])) if len(users) else users
    lengths = np.diff(np.append(starts, len(users)))
    rank = np.arange(len(users)) - np.repeat(starts, lengths)
    return np.asarray(rank < MAX_HISTORY)
