"""The example table as files that the fits of other processes open by memory map."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.examples import ExampleTable
from core.state.columns import Columns, FeatureBatch
from core.zoo.trail import with_trail

_FACTS = "facts.json"
"""What the table says beside its arrays."""


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

    def _parts(self) -> tuple[dict[str, NDArray[np.generic]], dict[str, object]]:
        """The arrays by name, and the table's other fields but the place for its copies."""
        features = self.examples.features
        arrays: dict[str, NDArray[np.generic]] = {
            "numbers": features.numbers,
            "codes": features.codes,
            "trail": self.trail,
        }
        facts: dict[str, object] = {}
        for field in fields(self.examples):
            value = getattr(self.examples, field.name)
            if isinstance(value, np.ndarray):
                arrays[field.name] = value
            elif field.name not in ("features", "scratch"):
                facts[field.name] = value
        return arrays, facts

    def digest(self) -> str:
        """SHA-256 of all that a fit may see: equal features and labels, equal digest."""
        arrays, facts = self._parts()
        layout = (self.examples.features.columns, self.trail_columns, facts)
        total = hashlib.sha256(repr(layout).encode())
        for name, array in arrays.items():
            total.update(f"{name} {array.dtype} {array.shape}".encode())
            total.update(np.ascontiguousarray(array).view(np.uint8).data)
        return total.hexdigest()

    def write(self, directory: Path) -> None:
        """Write everything but the layout of the columns into an existing directory."""
        arrays, facts = self._parts()
        for name, array in arrays.items():
            np.save(directory / f"{name}.npy", array)
        (directory / _FACTS).write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def open(cls, directory: Path, columns: Columns, trail_columns: Columns) -> ZooTable:
        """What `write` wrote, by memory map, read-only."""
        facts = json.loads((directory / _FACTS).read_text(encoding="utf-8"))
        arrays: dict[str, Any] = {
            path.stem: np.load(path, mmap_mode="r") for path in directory.glob("*.npy")
        }
        features = FeatureBatch(columns, arrays.pop("numbers"), arrays.pop("codes"))
        trail = arrays.pop("trail")
        examples = ExampleTable(features=features, **arrays, **facts)
        return cls(examples, trail, trail_columns)
