"""The contract of members: a Trainer fits and returns an immutable Model that predicts logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.errors import NotEnoughDataError
from core.state.columns import Columns, Family, FeatureBatch

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done, from 0 to 1."""

LIST_DEPTH = 10
"""Lists are ordered for what stands in so many first places."""


@dataclass(frozen=True)
class Examples:
    """Labelled rows.

    Attributes:
        features: batch of n rows.
        labels: (n,) float32 of 0 and 1.
        lists: (n,) rising: the list of each row, where rows are candidates of lists; else None.
    """

    features: FeatureBatch
    labels: NDArray[np.float32]
    lists: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.labels)


class Model(Protocol):
    """A trained member: immutable, safe to call from several threads."""

    @property
    def name(self) -> str:
        """The member's name, as in the registry: `jenn`, `felu`, `lightgbm`, `symmetric`."""
        ...

    def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """Logits (n,), one a row in the same order, finite, independent of the other rows."""
        ...

    def save(self, directory: Path) -> None:
        """Write all files into an existing, empty directory; no pickles."""
        ...

    def iterations(self) -> int:
        """Rounds or epochs that were fitted: what a refit repeats."""
        ...


@dataclass(frozen=True)
class Contributions:
    """What each of m columns adds to the logits of n rows: base + parts of a row is its logit."""

    names: tuple[str, ...]
    """(m,) of the columns."""
    families: tuple[Family, ...]
    """(m,) where the columns belong."""
    base: NDArray[np.float64]
    """(n,): what the member says before it sees any column."""
    parts: NDArray[np.float64]
    """(n, m)"""


@runtime_checkable
class Contributing(Protocol):
    """A member that can say what each column adds; members need not."""

    def contributions(self, batch: FeatureBatch) -> Contributions:
        """Exact: they add up to what `predict` says of each row."""
        ...


@runtime_checkable
class Branched(Protocol):
    """A member that sees user and object apart before they meet; members need not."""

    def branch_cosines(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """Cosines (n,) of user and object branch, in [-1, 1]; 0 where a branch says nothing."""
        ...


class Trainer(Protocol):
    """Fits one kind of member; holds configuration and nothing fitted."""

    @property
    def name(self) -> str:
        """The member's name, as in the registry."""
        ...

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> Model:
        """Fit on `train`.

        With `tune` the number of iterations is chosen on it (early stopping); with `iterations`
        exactly so many are run, on the same schedule. Exactly one of the two is given: ValueError
        otherwise. Rows whose context is masked at random are drawn inside, from the seed. Same
        data, same seed, same result. NotEnoughDataError when the labels are all alike.
        """
        ...

    def load(self, directory: Path, columns: Columns) -> Model:
        """Read what `save` wrote; BundleError when it does not fit the columns."""
        ...


@runtime_checkable
class Settled(Protocol):
    """A trainer whose iterations may be known before any fit; trainers need not."""

    def settled_iterations(self, train: Examples) -> int | None:
        """What a fit on these rows runs whatever a tune block says; None where that decides."""
        ...


Trainers = Mapping[str, Trainer]


def drawn(seed: int, purpose: str, *path: int) -> np.random.Generator:
    """Random numbers of one purpose: equal seeds elsewhere, such as the log's, draw others."""
    return np.random.default_rng([*purpose.encode(), seed, *path])


def check_blocks(train: Examples, tune: Examples | None, iterations: int | None) -> None:
    """Hold the callers of `Trainer.fit` to its contract; every trainer calls this first."""
    if (tune is None) == (iterations is None):
        raise ValueError("give either a tune block or a number of iterations, not both or none")
    if iterations is not None and iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    positives = int(np.count_nonzero(train.labels > 0.5))
    if positives in (0, len(train)):
        raise NotEnoughDataError(
            f"a member needs labels of both kinds to learn from, got {positives} positive among "
            f"{len(train)} training rows: take a longer log"
        )
    if tune is not None and len(tune) == 0:
        raise NotEnoughDataError("the tune block has no rows: take a longer log")
