"""Finds the tracks that sound most alike: exact cosine over standardised features."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TrackIndex:
    """Tracks with their sound as unit vectors; immutable.

    A feature that is the same in all indexed tracks tells none apart and counts as zero.
    """

    track_ids: tuple[str, ...]
    """Strictly ascending."""
    vectors: NDArray[np.float32]
    """`(n_tracks, n_features)`, each row of length 1, or 0 for a track that is average in all."""
    mean: NDArray[np.float64]
    """`(n_features,)`, over the indexed tracks."""
    scale: NDArray[np.float64]
    """`(n_features,)`, one over the standard deviation; 0 where there is none."""

    @classmethod
    def build(cls, track_ids: Sequence[str], features: NDArray[np.float64]) -> TrackIndex:
        """Index tracks.

        Args:
            track_ids: `(n_tracks,)`, distinct and ascending.
            features: `(n_tracks, n_features)`, finite, in the same order.

        Returns:
            The index.

        Raises:
            ValueError: if the ids do not ascend strictly or the shapes disagree.
        """
        if any(a >= b for a, b in pairwise(track_ids)):
            raise ValueError("track ids must ascend strictly: sort the tracks and drop repeats")
        if len(features) != len(track_ids):
            raise ValueError(f"{len(track_ids)} track ids came with {len(features)} feature rows")
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        # Rounding gives a constant column a deviation of about 1e-16 of its size.
        varies = deviation > 1e-9 * np.maximum(np.abs(mean), 1e-30)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
        return cls(tuple(track_ids), _unit((features - mean) * scale), mean, scale)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each track id."""
        return {track_id: row for row, track_id in enumerate(self.track_ids)}

    def embed(self, features: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the unit vector `(n_features,)` of raw features `(n_features,)`."""
        vector: NDArray[np.float32] = _unit(((features - self.mean) * self.scale)[np.newaxis])[0]
        return vector

    def mask_of(self, track_ids: Set[str]) -> NDArray[np.bool_]:
        """Return `(n_tracks,)`, true for the indexed tracks among the given ids."""
        mask = np.zeros(len(self.track_ids), dtype=np.bool_)
        # The intersection walks the smaller side: a pool may be far larger than the index.
        mask[[self.rows[track_id] for track_id in self.rows.keys() & track_ids]] = True
        return mask

    def nearest(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Find the allowed tracks with the highest cosine.

        Args:
            query: `(n_features,)` from `embed` or a row of `vectors`.
            k: how many tracks at most.
            allowed: `(n_tracks,)`, the tracks to choose from; all by default.

        Returns:
            Rows and cosines, each `(min(k, number allowed),)`, the highest cosine first; equal
            cosines in order of track id.
        """
        rows = np.arange(len(self.track_ids)) if allowed is None else np.flatnonzero(allowed)
        # Not BLAS: its result for a row may depend on where the row stands, and break ties.
        products = self.vectors[rows] * query
        cosines = np.clip(products.sum(axis=1, dtype=np.float64), -1.0, 1.0)
        best = np.argsort(-cosines, kind="stable")[:k]
        return rows[best], cosines[best]


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    unit: NDArray[np.float64] = np.divide(rows, length, out=np.zeros(rows.shape), where=length > 0)
    return unit.astype(np.float32)
