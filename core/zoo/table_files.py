"""The example table as files that the fits of other processes open by memory map."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.examples import ExampleTable
from core.state.columns import Columns, FeatureBatch
from core.zoo.trail import with_trail

_PLAIN = ("labels", "position", "matures_position", "row", "user", "object")


@dataclass(frozen=True)
class ZooTable:
    """All examples with the listening sequence of each.

    Attributes:
        examples: the table of the ensemble.
        trail: (n, columns) codes of `trail_columns`.
    """

    examples: ExampleTable
    trail: NDArray[np.int32]
    trail_columns: Columns

    def with_trail(self, rows: NDArray[np.intp]) -> FeatureBatch:
        """Chosen rows with the columns of the sequence."""
        batch = self.examples.features.take(rows)
        return with_trail(batch, self.trail[rows], self.trail_columns)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        arrays = {name: getattr(self.examples, name) for name in _PLAIN}
        features = self.examples.features
        return {**arrays, "numbers": features.numbers, "codes": features.codes, "trail": self.trail}

    def digest(self) -> str:
        """SHA-256 of all that a fit may see: equal features and labels, equal digest."""
        total = hashlib.sha256(repr((self.examples.features.columns, self.trail_columns)).encode())
        for name, array in self._arrays().items():
            total.update(f"{name} {array.dtype} {array.shape}".encode())
            total.update(np.ascontiguousarray(array).view(np.uint8).data)
        return total.hexdigest()

    def write(self, directory: Path) -> None:
        """Write every array into an existing directory."""
        for name, array in self._arrays().items():
            np.save(directory / f"{name}.npy", array)

    @classmethod
    def open(cls, directory: Path, columns: Columns, trail_columns: Columns) -> ZooTable:
        """What `write` wrote, by memory map, read-only."""

        def array(name: str) -> NDArray[np.generic]:
            mapped: NDArray[np.generic] = np.load(directory / f"{name}.npy", mmap_mode="r")
            return mapped

        features = FeatureBatch(columns, array("numbers"), array("codes"))  # type: ignore[arg-type]
        plain = {name: array(name) for name in _PLAIN}
        examples = ExampleTable(features=features, **plain)  # type: ignore[arg-type]
        return cls(examples, array("trail"), trail_columns)  # type: ignore[arg-type]
