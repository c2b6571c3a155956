"""The contract of zoo models: as that of members, but nothing is saved and probabilities answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.models.base import Examples, Progress
from core.state.columns import FeatureBatch


class Scorer(Protocol):
    """A fitted model."""

    def probabilities(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """Of coming back, (n,), one a row in the same order, finite, in [0, 1]."""
        ...

    def iterations(self) -> int:
        """Rounds or epochs that were fitted; 1 where the method has none."""
        ...


class ZooTrainer(Protocol):
    """Fits one kind of model; holds configuration and nothing fitted."""

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> Scorer:
        """Fit on `train`; the contract of `core.models.base.Trainer.fit`.

        With `tune` the iterations are chosen on it; a method without iterations does not look at
        it. With `iterations` exactly so many are run.
        """
        ...


@dataclass(frozen=True)
class Entry:
    """One row of the zoo."""

    title: str
    """For tables."""
    trainer: Callable[[], ZooTrainer]
    """Made where it is fitted: some libraries are heavy, and one is an extra."""
    max_rows: int | None = None
    """Fitted on at most so many of the latest rows."""
    needs_trail: bool = False
    """Whether it takes the columns of `core.zoo.trail`."""
