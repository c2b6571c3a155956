"""Finds the tracks that sound most alike, none of them twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from core.errors import BundleError
from domains.music.audio.approximate import InvertedLists
from domains.music.audio.embedding import FEATURE_WEIGHT, SoundEmbedding
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.highest import EXCLUDED, highest

EXACT_UP_TO = 300_000
"""Tracks of an index up to which a search looks at every one that is allowed."""
EXACT_OF_MANY = 30_000
"""In a larger index, a search looks at every allowed track up to so many; above, at a share."""
SAME_COSINE = 0.90
"""Two tracks are the same recording only if their vectors are at least so close ..."""
SAME_HARMONY = 0.30
"""... and their harmonies at most so far apart: root mean square over the twelve pitch classes, in
standard deviations of the catalogue. Copies at other bit rates, volumes or lengths keep to both,
other recordings miss both by far: see the test that measures it."""

_FILE = "index.safetensors"
_TOLD = "ids and limit"
_HARMONY = np.flatnonzero([n.startswith("chroma_") and n.endswith("_mean") for n in FEATURE_NAMES])
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
class TrackIndex:
    """Tracks with their sound as unit vectors; immutable."""

    track_ids: tuple[str, ...]
    """Strictly ascending."""
    embedding: SoundEmbedding
    """What made the vectors."""
    vectors: NDArray[np.float32]
    """`(n_tracks, n_dimensions)`, each row of length 1, or 0 for a track that is average in all."""
    harmonies: NDArray[np.float32]
    """`(n_tracks, 12)`, see `Query`."""
    lists: InvertedLists | None
    """In an index of more than `exact_up_to` tracks."""
    exact_up_to: int = EXACT_UP_TO

    @classmethod
    def build(
        cls,
        track_ids: Sequence[str],
        features: NDArray[np.floating],
        units: NDArray[np.floating],
        exact_up_to: int = EXACT_UP_TO,
    ) -> TrackIndex:
        """Index tracks.

        Args:
            track_ids: `(n_tracks,)`, distinct and ascending.
            features: `(n_tracks, len(FEATURE_NAMES))`, finite, in the same order.
            units: `(n_tracks, 200)`, the tagger's, in the same order.
            exact_up_to: look at all tracks up to so many.

        Returns:
            The index.

        Raises:
            ValueError: if the ids do not ascend strictly or the shapes disagree.
        """
        if any(a >= b for a, b in pairwise(track_ids)):
            raise ValueError("track ids must ascend strictly: sort the tracks and drop repeats")
        if not len(features) == len(units) == len(track_ids):
            raise ValueError(
                f"{len(track_ids)} track ids came with {len(features)} rows of features "
                f"and {len(units)} of units"
            )
        embedding = SoundEmbedding.fit(features, units)
        vectors = embedding.embed(features, units)
        lists = InvertedLists.build(vectors) if len(vectors) > exact_up_to else None
        harmonies = _harmonies(embedding, features)
        return cls(tuple(track_ids), embedding, vectors, harmonies, lists, exact_up_to)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each track id."""
        return {track_id: row for row, track_id in enumerate(self.track_ids)}

    def track(self, row: int) -> Query:
        """The sound of an indexed track."""
        return Query(self.vectors[row], self.harmonies[row])

    def sound(self, features: NDArray[np.floating], units: NDArray[np.floating]) -> Query:
        """A sound with features `(len(FEATURE_NAMES),)` and units `(200,)`."""
        features, units = features[np.newaxis], units[np.newaxis]
        vector = self.embedding.embed(features, units)[0]
        return Query(vector, _harmonies(self.embedding, features)[0])

    def mask_of(self, track_ids: Set[str]) -> NDArray[np.bool_]:
        """Return `(n_tracks,)`, true for the indexed tracks among the given ids."""
        mask = np.zeros(len(self.track_ids), dtype=np.bool_)
        # The intersection walks the smaller side: a pool may be far larger than the index.
        mask[[self.rows[track_id] for track_id in self.rows.keys() & track_ids]] = True
        return mask

    def nearest(
        self,
        query: Query,
        k: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Find the allowed tracks with the highest cosine, one of each recording.

        Args:
            query: from `track` or `sound`.
            k: how many tracks at most.
            allowed: `(n_tracks,)`, the tracks to choose from; all by default.

        Returns:
            Rows and cosines, each `(k,)` or shorter where fewer qualify, the highest cosine first;
            equal cosines in order of track id. The query's own recording is left out, and of others
            that are there several times only the nearest track is given.
        """
        n_allowed = len(self.track_ids) if allowed is None else int(np.count_nonzero(allowed))
        candidates = self._candidates(query.vector, allowed, n_allowed)
        most = k + _SPARE
        while True:
            rows, cosines = self._ordered(query.vector, candidates(most), most)
            kept = self._first_of_each(rows, k, query)
            if len(kept) == k or most >= n_allowed:
                return rows[kept], cosines[kept]
            most = min(4 * most, n_allowed)

    def copies_of(self, query: Query, most: int) -> NDArray[np.intp]:
        """Find the query's own recording: rows `(<= most,)`, the nearest first."""
        found = self._candidates(query.vector, None, len(self.track_ids))(most)
        rows, _ = self._ordered(query.vector, found, most)
        return rows[
            same_recording(self.vectors[rows], self.harmonies[rows], query.vector, query.harmony)
        ]

    def _candidates(
        self, vector: NDArray[np.float32], allowed: NDArray[np.bool_] | None, n_allowed: int
    ) -> Callable[[int], NDArray[np.intp]]:
        """What finds so many of the nearest rows or more, in no order."""
        if self.lists is not None and n_allowed > min(self.exact_up_to, EXACT_OF_MANY):
            return partial(self.lists.nearest, vector, allowed=allowed)
        if allowed is None:
            return partial(highest, self.vectors @ vector)
        if n_allowed < len(self.track_ids) / _GATHERED_SHARE:
            rows = np.flatnonzero(allowed)
            scores = self.vectors[rows] @ vector
            return lambda most: rows[highest(scores, most)]
        scores = self.vectors @ vector
        np.copyto(scores, EXCLUDED, where=~allowed)
        return partial(highest, scores)

    def _ordered(
        self, vector: NDArray[np.float32], rows: NDArray[np.intp], most: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        # Not BLAS: its result for a row may depend on where the row stands, and break ties.
        products = self.vectors[rows].astype(np.float64) * vector
        cosines = np.clip(products.sum(axis=1), -1.0, 1.0)
        best = np.lexsort((rows, -cosines))[:most]
        return rows[best], cosines[best]

    def _first_of_each(self, rows: NDArray[np.intp], k: int, query: Query) -> NDArray[np.intp]:
        """Positions `(<= k,)` in `rows` of the first track of each recording but the query's."""
        vectors, harmonies = self.vectors[rows], self.harmonies[rows]
        left = ~same_recording(vectors, harmonies, query.vector, query.harmony)
        kept: list[int] = []
        while len(kept) < k and left.any():
            first = int(left.argmax())
            kept.append(first)
            left &= ~same_recording(vectors, harmonies, vectors[first], harmonies[first])
            left[first] = False  # a track that is average in all is at no angle to itself
        return np.array(kept, dtype=np.intp)

    def save(self, directory: Path) -> None:
        """Write `index.safetensors` into an existing directory."""
        tensors = {
            "vectors": self.vectors,
            "harmonies": self.harmonies,
            "mean": self.embedding.mean,
            "scale": self.embedding.scale,
            "axes": self.embedding.axes,
        }
        if self.lists is not None:
            tensors |= {"centres": self.lists.centres, "lists": self.lists.lists}
        save_file(
            # safetensors writes the buffer as it lies: a column-major array would come back mixed.
            {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
            directory / _FILE,
            # One entry: safetensors writes several in another order each time.
            {_TOLD: json.dumps({"track_ids": self.track_ids, "exact_up_to": self.exact_up_to})},
        )

    @classmethod
    def load(cls, directory: Path) -> TrackIndex:
        """Read what `save` wrote.

        Raises:
            BundleError: if the file is missing or damaged.
        """
        try:
            with safe_open(directory / _FILE, framework="numpy") as stored:
                told = json.loads(stored.metadata()[_TOLD])
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            track_ids = tuple(told["track_ids"])
            embedding = SoundEmbedding(*(tensors[name] for name in ("mean", "scale", "axes")))
            vectors, harmonies = tensors["vectors"], tensors["harmonies"]
            lists = None
            if "lists" in tensors:
                lists = InvertedLists(vectors, tensors["centres"], tensors["lists"])
            exact_up_to = int(told["exact_up_to"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise BundleError(
                f"the track index in {directory} cannot be read ({error}): build it again"
            ) from error
        if not len(track_ids) == len(vectors) == len(harmonies):
            raise BundleError(f"the track index in {directory} is damaged: build it again")
        return cls(track_ids, embedding, vectors, harmonies, lists, exact_up_to)


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


def _harmonies(embedding: SoundEmbedding, features: NDArray[np.floating]) -> NDArray[np.float32]:
    standard = (features[:, _HARMONY] - embedding.mean[_HARMONY]) * embedding.scale[_HARMONY]
    weight = FEATURE_WEIGHT / np.sqrt(features.shape[1])
    harmonies: NDArray[np.float32] = (standard / weight).astype(np.float32)
    return harmonies
