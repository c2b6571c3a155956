"""What sources share: the best of an array of scores, and having nothing to propose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals
from core.retrieval.largest import largest

NONE = Proposals(np.zeros(0, np.int32))


def best(scores: NDArray[np.floating], allowed: NDArray[np.bool_], limit: int) -> NDArray[np.int32]:
    """At most `limit` allowed indices by falling score, ties by rising index; 0 is nobody."""
    found: NDArray[np.int64] = largest(scores[1:], allowed[1:], limit)
    return (found + 1).astype(np.int32)


def best_positive(
    scores: NDArray[np.floating], pool: NDArray[np.bool_] | None, limit: int
) -> NDArray[np.int32]:
    """As `best`, of the positive scores (n,) within a pool (at least n,), where there is one."""
    allowed = scores > 0.0
    return best(scores, allowed if pool is None else allowed & pool[: len(scores)], limit)


def nothing_of(objects: NDArray[np.int32], columns: tuple[str, ...]) -> NDArray[np.float32]:
    """(n, columns) NaN: the scores of a source that knows nothing of this user."""
    return np.full((len(objects), len(columns)), np.nan, np.float32)
