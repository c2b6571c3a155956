"""TrackIndex: tracks by their sound, to be searched for those that sound most alike."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from core.errors import BundleError
from domains.music.audio.approximate import InvertedLists
from domains.music.audio.coarse import CoarseVectors
from domains.music.audio.embedding import FEATURE_WEIGHT, SoundEmbedding
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.search import Query, Search

EXACT_UP_TO = 300_000
"""Tracks of an index up to which a search looks at every one that is allowed."""

_FILE = "index.safetensors"
_TOLD = "ids and limit"
_HARMONY = np.flatnonzero([n.startswith("chroma_") and n.endswith("_mean") for n in FEATURE_NAMES])


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

    def search(self, query: Query) -> Search:
        """Begin to search for a sound; all that is asked of a search costs one pass over tracks."""
        return Search(
            query, self.vectors, self.harmonies, self._coarse, self.lists, self.exact_up_to
        )

    @cached_property
    def _coarse(self) -> CoarseVectors:
        """A copy a quarter as large, made when the index is first asked."""
        return CoarseVectors.of(self.vectors)

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


def _harmonies(embedding: SoundEmbedding, features: NDArray[np.floating]) -> NDArray[np.float32]:
    standard = (features[:, _HARMONY] - embedding.mean[_HARMONY]) * embedding.scale[_HARMONY]
    weight = FEATURE_WEIGHT / np.sqrt(features.shape[1])
    harmonies: NDArray[np.float32] = (standard / weight).astype(np.float32)
    return harmonies
