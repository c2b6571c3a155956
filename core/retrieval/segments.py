"""Segments: groups of users by taste, by attribute and by circumstance, and what is popular there.

Objects are grouped too, by their content vectors where they have any.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from core.retrieval.meetings import Meetings
from core.retrieval.rows import SparseRows, sparse_rows
from core.retrieval.tensors import load_tensors, save_tensors
from core.state.arrays import OC_COUNT
from core.state.hashing import stored_pairs
from core.state.state import State

MOST_SEGMENTS = 64
USERS_PER_SEGMENT = 50
"""Fewer users than this say little of what is popular among them."""
MOST_CLUSTERS = 256
OBJECTS_PER_CLUSTER = 20
POPULAR = 2000
"""Objects kept of each attribute and context value, the most popular."""
_FILE = "segments.safetensors"
_TENSORS = ("centres", "value_shares", "clusters", "cluster_shares")
_BY_TASTE, _BY_ATTRIBUTE, _BY_CONTEXT = (
    f"popular_by_{by}.safetensors" for by in ("taste", "attribute", "context")
)


@dataclass(frozen=True)
class Segments:
    """Groups of one moment; weights are shares of a group's decayed meetings.

    Attributes:
        centres: (segments, axes) float32 mean tastes; none where nobody has met anything.
        by_taste: a row a segment, all objects.
        by_attribute: a row a category value id of users, its POPULAR objects.
        by_context: a row a category value id of contexts, its POPULAR objects; of all meetings.
        value_shares: (values,) each category value's share of the decayed meetings with objects
            that have a value in that place.
        clusters: (n_objects,) int32 cluster by content, -1 where an object has no vector.
        cluster_shares: (clusters,) positive; as `value_shares`, smoothed by one meeting each.
    """

    centres: NDArray[np.float32]
    by_taste: SparseRows
    by_attribute: SparseRows
    by_context: SparseRows
    value_shares: NDArray[np.float64]
    clusters: NDArray[np.int32]
    cluster_shares: NDArray[np.float64]

    def segment_of(self, taste: NDArray[np.float64]) -> int:
        """The segment with the nearest centre to a taste (axes,) of unit length; -1 for none."""
        if not len(self.centres) or not taste.any():
            return -1
        apart = self.centres.astype(np.float64) - taste
        return int(np.argmin((apart * apart).sum(axis=1)))

    def save(self, directory: Path) -> None:
        """Write four safetensors files."""
        tensors = {name: getattr(self, name) for name in _TENSORS}
        save_tensors(directory / _FILE, tensors)
        self.by_taste.save(directory / _BY_TASTE)
        self.by_attribute.save(directory / _BY_ATTRIBUTE)
        self.by_context.save(directory / _BY_CONTEXT)

    @classmethod
    def load(cls, directory: Path) -> Segments:
        """Read what `save` wrote; BundleError when it cannot be read."""
        tensors = load_tensors(directory / _FILE, *_TENSORS)
        return cls(
            by_taste=SparseRows.load(directory / _BY_TASTE),
            by_attribute=SparseRows.load(directory / _BY_ATTRIBUTE),
            by_context=SparseRows.load(directory / _BY_CONTEXT),
            **dict(zip(_TENSORS, tensors, strict=True)),
        )


def fit_segments(
    state: State,
    meetings: Meetings,
    popular: NDArray[np.float64],
    tastes: NDArray[np.float32],
    seed: int,
) -> Segments:
    """Group users by their tastes (n_users, axes), attributes and contexts, objects by content.

    `popular` (n_objects,) are the decayed meetings of each object.
    """
    active = np.flatnonzero(tastes.any(axis=1))
    count = min(MOST_SEGMENTS, max(len(active) // USERS_PER_SEGMENT, 1))
    centres, segment = _clusters(tastes[active], count, seed)
    members = _membership(segment, active, len(centres), len(tastes))
    clusters = _object_clusters(state, seed)
    clustered = clusters >= 0
    of_cluster = 1.0 + np.bincount(clusters[clustered], popular[clustered])
    return Segments(
        centres,
        sparse_rows(_shares(members @ meetings.decayed)),
        sparse_rows(_shares(_by_attribute(state, meetings)), POPULAR),
        sparse_rows(_shares(_by_context(state)), POPULAR),
        _value_shares(state, popular),
        clusters,
        of_cluster / of_cluster.sum(),
    )


def _by_attribute(state: State, meetings: Meetings) -> csr_matrix:
    """(values, objects) decayed meetings of the users who have a value."""
    arrays = state.arrays
    values = arrays.users.values[: state.users.end]
    users, fields = np.nonzero(values)
    members = _membership(values[users, fields], users, len(arrays.values.counts), len(values))
    return members @ meetings.decayed


def _by_context(state: State) -> csr_matrix:
    """(values, objects) meetings in a context."""
    arrays = state.arrays
    table = arrays.object_context
    objects, values, counts = stored_pairs(table, table.rows[:, OC_COUNT])
    shape = (len(arrays.values.counts), state.objects.end)
    return csr_matrix((counts, (values, objects)), shape)


def _value_shares(state: State, popular: NDArray[np.float64]) -> NDArray[np.float64]:
    """(values,) see `Segments.value_shares`."""
    arrays = state.arrays
    shares = np.zeros(len(arrays.values.counts))
    for start, stop in pairwise(arrays.shape.facet_start):
        values = arrays.objects.values[: state.objects.end, start:stop]
        of_value = np.bincount(
            values.ravel(), np.repeat(popular, stop - start), minlength=len(shares)
        )
        of_value[0] = 0.0
        of_any = (popular * values.any(axis=1)).sum()
        shares += of_value / max(of_any, 1e-300)
    return shares


def _object_clusters(state: State, seed: int) -> NDArray[np.int32]:
    """(n_objects,) by k-means over content vectors."""
    clusters = np.full(state.objects.end, -1, np.int32)
    content = state.arrays.content
    if content.has_space:
        vectors = content.vector[: state.objects.end]
        known = np.flatnonzero(vectors.any(axis=1))
        count = min(MOST_CLUSTERS, max(len(known) // OBJECTS_PER_CLUSTER, 1))
        clusters[known] = _clusters(vectors[known], count, seed)[1]
    return clusters


def _clusters(
    vectors: NDArray[np.float32], count: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Centres (count, size) by k-means, and of each vector (n,) the nearest; none of no vectors."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    size = vectors.shape[1]
    if not len(vectors):
        return np.zeros((0, size), np.float32), np.zeros(0, np.int64)
    # Groups may be small: the warning about it would go to standard error. Of several starts the
    # best is kept, for one may put two centres into the same group.
    means = faiss.Kmeans(size, count, niter=20, nredo=5, seed=seed + 1, min_points_per_centroid=1)
    means.train(vectors)
    _, nearest = means.index.search(vectors, 1)
    return means.centroids.reshape(count, size), nearest[:, 0]


def _membership(
    groups: NDArray[np.integer], users: NDArray[np.integer], n_groups: int, n_users: int
) -> csr_matrix:
    """(n_groups, n_users) 1 where a user belongs to a group."""
    ones = np.ones(len(groups), np.float32)
    return csr_matrix((ones, (groups, users)), (n_groups, n_users))


def _shares(totals: csr_matrix) -> csr_matrix:
    """Each row over its sum; empty rows stay empty."""
    sums = np.asarray(totals.sum(axis=1)).ravel()
    return csr_matrix(diags(1.0 / np.where(sums > 0.0, sums, 1.0)) @ totals)
