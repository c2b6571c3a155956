"""Columns: what the numbers that describe a sound are, and how a linear model should see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.tagger import MSD_TAGS


class ColumnKind(StrEnum):
    """What a column holds."""

    TAG = "tag"
    """A probability of the tagger."""
    VARIANCE = "variance"
    """Not negative, over several orders of magnitude."""
    NUMBER = "number"


_TINY = 1e-12
_WEIGHT_OF_FEATURES = 0.5
"""Beside the tags, which tell more: measured on the training part of GTZAN."""


@dataclass(frozen=True)
class Columns:
    """Names and kinds of columns, in order."""

    names: tuple[str, ...]
    kinds: tuple[ColumnKind, ...]

    @classmethod
    def of(cls, features: Iterable[str] = (), tags: Iterable[str] = ()) -> Columns:
        """Columns of features, whose names end in `_var` where they are variances, then of tags."""
        numbers = tuple(features)
        names = (*numbers, *(f"tag {tag}" for tag in tags))
        kinds = [
            ColumnKind.VARIANCE if name.endswith("_var") else ColumnKind.NUMBER for name in numbers
        ]
        return cls(names, (*kinds, *(ColumnKind.TAG for _ in names[len(numbers) :])))

    def only(self, *, tags: bool) -> Columns:
        """The tags, or all other columns."""
        kept = [
            (name, kind)
            for name, kind in zip(self.names, self.kinds, strict=True)
            if (kind is ColumnKind.TAG) is tags
        ]
        return Columns(tuple(name for name, _ in kept), tuple(kind for _, kind in kept))

    def evened(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(n, n_columns)` with steps of like meaning: roots of tags, logs of variances."""
        evened = np.array(values, dtype=np.float64)
        tags, variances = self._of_kind(ColumnKind.TAG), self._of_kind(ColumnKind.VARIANCE)
        evened[:, tags] = np.sqrt(np.maximum(evened[:, tags], 0.0))
        evened[:, variances] = np.log(np.maximum(evened[:, variances], 0.0) + _TINY)
        return evened

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """`(n_columns,)`, how much a standardised column counts in a distance."""
        tags = self._of_kind(ColumnKind.TAG)
        return np.where(tags, 1.0, _WEIGHT_OF_FEATURES if tags.any() else 1.0)

    def _of_kind(self, kind: ColumnKind) -> NDArray[np.bool_]:
        return np.array([k is kind for k in self.kinds], dtype=np.bool_)


SOUND_COLUMNS = Columns.of(FEATURE_NAMES, MSD_TAGS)
"""What a genre model of one's own audio sees: librosa's features and the tagger's tags."""
