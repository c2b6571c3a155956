"""Retrieval: every index that sources look candidates up in, fitted and stored together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.retrieval.item_neighbours import ItemNeighbours, build_item_neighbours
from core.state.state import State

Progress = Callable[[str, float], None]
"""Called with the name of an index and the fraction of it that is done."""


@dataclass(frozen=True)
class Retrieval:
    """The indices of one moment; immutable."""

    item_neighbours: ItemNeighbours

    def save(self, directory: Path) -> None:
        """Write every index into an existing directory."""
        self.item_neighbours.save(directory)

    @classmethod
    def load(cls, directory: Path) -> Retrieval:
        """Read what `save` wrote; BundleError names the file that cannot be read."""
        return cls(item_neighbours=ItemNeighbours.load(directory))


def fit_retrieval(state: State, seed: int, progress: Progress | None = None) -> Retrieval:
    """Fit every index to what the state has counted up to now.

    Args:
        state: at any moment of a replay; it is only read.
        seed: same seed and state, same indices.
        progress: told before and after each index.
    """
    del seed
    report = progress or (lambda *_: None)
    report("item-to-item", 0.0)
    item_neighbours = build_item_neighbours(state.arrays)
    report("item-to-item", 1.0)
    return Retrieval(item_neighbours=item_neighbours)
