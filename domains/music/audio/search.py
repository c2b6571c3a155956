"""One search for a sound among indexed tracks: its neighbours, and copies of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from domains.music.audio.approximate import InvertedLists
from domains.music.audio.coarse import ROUNDING, CoarseVectors
from domains.music.audio.highest import EXCLUDED, highest

EXACT_OF_MANY = 30_000
"""In an index with lists, all allowed tracks are looked at up to so many; above, a share."""
SAME_COSINE = 0.90
"""Two tracks are the same recording only if their vectors are at least so close ..."""
SAME_HARMONY = 0.30
"""... and their harmonies at most so far apart: root mean square over the twelve pitch classes, in
standard deviations of the catalogue. Copies at other bit rates, volumes or lengths keep to both,
other recordings miss both by far: see the test that measures it."""

_GATHERED_SHARE = 8
"""Rarer tracks than one in so many are gathered first; more are scored where they lie."""
_SPARE = 16
"""Tracks looked at beyond those wanted, as some will be copies."""


@dataclass(frozen=True, eq=False)
class Query:
    """A sound to find neighbours of."""

    vector: NDArray[np.float32]
    """`(n_dimensions,)`."""
    harmony: NDArray[np.float32]
    """`(12,)`, mean strength of each pitch class, standardised."""


@dataclass(frozen=True, eq=False)
class Search:
    """A query and what it is asked of; the pass over all tracks is made once."""

    query: Query
    vectors: NDArray[np.float32]
    """`(n_tracks, n_dimensions)`, each row of length 1 or 0."""
    harmonies: NDArray[np.float32]
    """`(n_tracks, 12)`."""
    coarse: CoarseVectors
    """Of the vectors: what is looked through, before vectors are compared."""
    lists: InvertedLists | None
    """Of an index that is too large to be looked at whole."""
    exact_up_to: int
    """Tracks to choose from up to which all are looked at."""

    def nearest(
        self, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Find the allowed tracks with the highest cosine, one of each recording.

        Args:
            k: how many tracks at most.
            allowed: `(n_tracks,)`, the tracks to choose from; all by default.

        Returns:
            Rows and cosines, each `(k,)` or shorter where fewer qualify, the highest cosine first;
            equal cosines in order of row. The query's own recording is left out, and of others that
            are there several times only the nearest track is given.
        """
        n_allowed = len(self.vectors) if allowed is None else int(np.count_nonzero(allowed))
        candidates = self._candidates(allowed, n_allowed)
        most = k + _SPARE
        while True:
            rows, cosines = self._ordered(candidates(most), most)
            kept = self._first_of_each(rows, k)
            if len(kept) == k or most >= n_allowed:
                return rows[kept], cosines[kept]
            most = min(4 * most, n_allowed)

    def copies(self, most: int) -> NDArray[np.intp]:
        """Find the query's own recording: rows `(<= most,)`, the nearest first."""
        if self._looks_at_all(len(self.vectors)):
            found = np.flatnonzero(self._scores >= SAME_COSINE - self.coarse.off)
        else:
            assert self.lists is not None
            found = self.lists.nearest(self.query.vector, most, allowed=None)
        rows, _ = self._ordered(found, most)
        query = self.query
        same = same_recording(self.vectors[rows], self.harmonies[rows], query.vector, query.harmony)
        return rows[same]

    @cached_property
    def _scores(self) -> NDArray[np.float32]:
        """`(n_tracks,)`, cosines, wrong by `coarse.off` at most."""
        return self.coarse.products(self.query.vector)

    def _looks_at_all(self, n_allowed: int) -> bool:
        return self.lists is None or n_allowed <= min(self.exact_up_to, EXACT_OF_MANY)

    def _candidates(
        self, allowed: NDArray[np.bool_] | None, n_allowed: int
    ) -> Callable[[int], NDArray[np.intp]]:
        """What finds so many of the nearest rows or more, in no order."""
        if not self._looks_at_all(n_allowed):
            assert self.lists is not None
            return partial(self.lists.nearest, self.query.vector, allowed=allowed)
        if allowed is None:
            return partial(highest, self._scores, off=self.coarse.off)
        # Where there are no lists, the search for copies needs the scores of all tracks anyway.
        if self.lists is not None and n_allowed < len(self.vectors) / _GATHERED_SHARE:
            rows = np.flatnonzero(allowed)
            gathered = self.vectors[rows] @ self.query.vector
            return lambda most: rows[highest(gathered, most, ROUNDING)]
        scores = np.where(allowed, self._scores, EXCLUDED)
        return partial(highest, scores, off=self.coarse.off)

    def _ordered(
        self, rows: NDArray[np.intp], most: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        # Not BLAS: its result for a row may depend on where the row stands, and break ties.
        products = self.vectors[rows].astype(np.float64) * self.query.vector
        cosines = np.clip(products.sum(axis=1), -1.0, 1.0)
        best = np.lexsort((rows, -cosines))[:most]
        return rows[best], cosines[best]

    def _first_of_each(self, rows: NDArray[np.intp], k: int) -> NDArray[np.intp]:
        """Positions `(<= k,)` in `rows` of the first track of each recording but the query's."""
        vectors, harmonies = self.vectors[rows], self.harmonies[rows]
        left = ~same_recording(vectors, harmonies, self.query.vector, self.query.harmony)
        kept: list[int] = []
        while len(kept) < k and left.any():
            first = int(left.argmax())
            kept.append(first)
            left &= ~same_recording(vectors, harmonies, vectors[first], harmonies[first])
            left[first] = False  # a track that is average in all is at no angle to itself
        return np.array(kept, dtype=np.intp)


def same_recording(
    vectors: NDArray[np.float32],
    harmonies: NDArray[np.float32],
    vector: NDArray[np.float32],
    harmony: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return `(n,)`, whether each of the tracks is the one recording's."""
    same: NDArray[np.bool_] = vectors @ vector >= SAME_COSINE
    near = np.flatnonzero(same)
    distances = np.sqrt(((harmonies[near] - harmony) ** 2).mean(axis=1))
    same[near] = distances <= SAME_HARMONY
    return same
