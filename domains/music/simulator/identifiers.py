"""Ids of a world's users (`u0000012`) and tracks (`t0000345`), and back to dense indices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.errors import FieldViolation, InvalidRequestError
from domains.music.simulator.randomness import Ints

USER_PREFIX = "u"
OBJECT_PREFIX = "t"

Entities = (
    str
    | int
    | Sequence[str]
    | Sequence[int]
    | npt.NDArray[np.str_]
    | npt.NDArray[np.object_]
    | Ints
)
"""One or more entities, by id or by dense index."""

_DIGITS = 7
_REPORTED = 10


def identifiers(prefix: str, size: int) -> npt.NDArray[np.str_]:
    """Ids of all entities by index: (size,)."""
    return np.array([f"{prefix}{i:0{_DIGITS}}" for i in range(size)])


def indices(entities: Entities, field: str, prefix: str, size: int) -> Ints:
    """Ids or indices as checked indices: (n,).

    Raises:
        InvalidRequestError: an entity that is not among the `size` known ones.
    """
    given = np.atleast_1d(np.asarray(entities))
    if given.dtype.kind in "iu" or not len(given):
        found = given.astype(np.int64)
    else:
        found = np.array([_number(str(name), prefix) for name in given], dtype=np.int64)
    wrong = np.flatnonzero((found < 0) | (found >= size))
    if len(wrong):
        last = f"{prefix}{size - 1:0{_DIGITS}}"
        raise InvalidRequestError(
            [
                FieldViolation(
                    f"{field}[{i}]", f"{given[i]!s} is not of this world: the last is {last}"
                )
                for i in wrong[:_REPORTED]
            ]
        )
    return found


def _number(name: str, prefix: str) -> int:
    """The index in an id, or -1 if it is no id."""
    digits = name[len(prefix) :]
    is_id = name.startswith(prefix) and len(digits) == _DIGITS
    return int(digits) if is_id and digits.isascii() and digits.isdigit() else -1
