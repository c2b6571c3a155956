"""The content vectors in the state, and the tastes that users show by them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.schema import Schema


class Content(NamedTuple):
    """What is known of objects in advance of any event, and tastes by it."""

    vector: NDArray[np.float32]
    """(objects, size) of unit length, zero where an object has none; no event changes it."""
    shown: NDArray[np.bool_]
    """(objects,) whether members are shown the vector: in training some are hidden."""
    taste: NDArray[np.float32]
    """(users, size) sum of the vectors of what the user took, faded by the half-life of taste."""
    taste_at: NDArray[np.int64]
    """(users,) the moment of `taste`, whole seconds since the origin on the user's clock."""
    met: NDArray[np.int64]
    """(users,) meetings with objects that have a vector."""

    @property
    def has_space(self) -> bool:
        """Whether the schema has a content space."""
        return bool(self.vector.shape[1] > 0)


def new_content(schema: Schema) -> Content:
    """No rows, of the schema's content space."""
    size = 0 if schema.content is None else schema.content.size
    return Content(
        np.zeros((0, size), np.float32),
        np.zeros(0, np.bool_),
        np.zeros((0, size), np.float32),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
    )


def with_content_rows(content: Content, users: int, objects: int) -> Content:
    """The content with rows for so many users and objects, where it has a space at all."""
    if not content.has_space:
        return content
    return Content(
        _enlarged(content.vector, objects),
        _enlarged(content.shown, objects),
        _enlarged(content.taste, users),
        _enlarged(content.taste_at, users),
        _enlarged(content.met, users),
    )


def _enlarged(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The array, or a copy with more rows, zero where new."""
    if rows <= len(array):
        return array
    copy = np.zeros((rows, *array.shape[1:]), array.dtype)
    copy[: len(array)] = array
    return copy
