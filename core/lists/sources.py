"""What each source of candidates finds, and what it adds to those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.lists.judging import CANDIDATE_DEPTHS
from core.lists.metrics import mean_of, recall_at
from core.lists.protocol import Targets

Proposals = Mapping[str, Sequence[NDArray[np.int32]]]
"""Source -> for each user of a task the object indices it proposes, best first."""


@dataclass(frozen=True)
class SourceRecall:
    """The recall of one source, by depth; means over the users with a target."""

    name: str
    recall: Mapping[int, float]
    """Depth -> recall of its own first so many."""
    added: Mapping[int, float]
    """Depth -> by how much the recall of all sources up to it, each to that depth, grows."""
    together: Mapping[int, float]
    """Depth -> recall of all sources up to it, each to that depth."""
    proposed: float
    """How many objects it proposes a user, on average."""


def source_recalls(proposals: Proposals, targets: Targets) -> list[SourceRecall]:
    """The recall of each source and what it adds, in the order given.

    Raises:
        ValueError: a source has not one array for each user.
    """
    known = {depth: np.zeros(len(targets.objects), bool) for depth in CANDIDATE_DEPTHS}
    before = dict.fromkeys(CANDIDATE_DEPTHS, 0.0)
    recalls = []
    for name, proposed in proposals.items():
        if len(proposed) != len(targets.sizes):
            raise ValueError(f"source {name}: {len(proposed)} lists for {len(targets.sizes)} users")
        alone, together = {}, {}
        for depth in CANDIDATE_DEPTHS:
            found = _found(proposed, targets, depth)
            known[depth] |= found
            alone[depth] = _recall(found, targets)
            together[depth] = _recall(known[depth], targets)
        added = {depth: together[depth] - before[depth] for depth in CANDIDATE_DEPTHS}
        before = together
        size = float(np.mean([len(own) for own in proposed])) if proposed else 0.0
        recalls.append(SourceRecall(name, alone, added, together, size))
    return recalls


def _found(
    proposed: Sequence[NDArray[np.int32]], targets: Targets, depth: int
) -> NDArray[np.bool_]:
    """(m,) which of the targets stand among the first `depth` of their user's objects."""
    found = np.zeros(len(targets.objects), bool)
    for position, own in enumerate(proposed):
        start, end = targets.starts[position : position + 2]
        found[start:end] = np.isin(targets.objects[start:end], own[:depth])
    return found


def _recall(found: NDArray[np.bool_], targets: Targets) -> float:
    hits = np.diff(np.append(0, np.cumsum(found))[targets.starts])
    return mean_of(recall_at(hits[:, None].astype(np.float64), targets.sizes, 1))
