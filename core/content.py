"""Content vectors: what is known of objects in advance of any event, as points of one space."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.schema import ContentSpace

HIDDEN_SHARE = 0.1
"""Share of the objects whose vectors training does not show, so that it meets their absence."""


@dataclass(frozen=True)
class ContentVectors:
    """The objects that have a vector; all others have none.

    Attributes:
        space: what the vectors are.
        object_ids: (n,) distinct; objects that no log knows are welcome.
        vectors: (n, space.size) float32 of unit length.
    """

    space: ContentSpace
    object_ids: tuple[str, ...]
    vectors: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.vectors.shape != (len(self.object_ids), self.space.size):
            raise ValueError(
                f"content vectors have shape {self.vectors.shape}, expected "
                f"({len(self.object_ids)}, {self.space.size})"
            )
        if len(set(self.object_ids)) != len(self.object_ids):
            raise ValueError("content vectors: an object stands twice")
        if not np.allclose(np.linalg.norm(self.vectors, axis=1), 1.0, atol=1e-4):
            raise ValueError("content vectors must be of unit length: use `unit_vectors`")

    def __len__(self) -> int:
        return len(self.object_ids)


def unit_vectors(
    name: str, object_ids: Sequence[str], vectors: NDArray[np.floating]
) -> ContentVectors:
    """Scale vectors (n, size), finite and not zero, to unit length.

    Raises:
        ValueError: one cannot be scaled, or see `ContentVectors`.
    """
    wide = vectors.astype(np.float64)
    # By the largest entry first: squares of what is large or small would not fit.
    largest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    if not (np.isfinite(largest) & (largest > 0.0)).all():
        raise ValueError("content vectors must be finite and not zero")
    wide /= largest
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    space = ContentSpace(name, vectors.shape[1])
    return ContentVectors(space, tuple(object_ids), wide.astype(np.float32))


def hidden_objects(content: ContentVectors, seed: int) -> NDArray[np.bool_]:
    """(n,) which vectors a training run does not show.

    An object's id and the seed decide, so neither order nor number of the others matters.
    """
    bound = int(HIDDEN_SHARE * 2**64)
    key = seed.to_bytes(8, "little")
    return np.array([_drawn(object_id, key) < bound for object_id in content.object_ids], bool)


def _drawn(object_id: str, key: bytes) -> int:
    """A number in [0, 2^64)."""
    digest = hashlib.blake2b(object_id.encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little")
