"""The classical models of scikit-learn on standardised numbers and encoded categories."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from core.models.base import Examples, Progress, check_blocks
from core.models.settings import Compute
from core.state.columns import FeatureBatch
from core.zoo.estimators import MARGINS, PLAIN, STAGED, THREADED, Estimator
from core.zoo.inputs import DenseInputs
from core.zoo.settings import ZooSettings

PREDICT_ROWS = 20_000
"""Rows laid out at once: bounds the memory of a prediction."""
PLATT_SHARE = 0.2
"""Latest share of the rows that an SVM does not see: the curve of its margins is fitted there."""


class Answering(Protocol):
    """Anything fitted that answers probabilities."""

    def predict_proba(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, 2) probabilities of both labels."""
        ...


@dataclass(frozen=True)
class DenseScorer:
    """An estimator with its inputs."""

    inputs: DenseInputs
    estimator: Answering
    fitted_iterations: int

    def iterations(self) -> int:
        """Rounds that were fitted; 1 where the method has none."""
        return self.fitted_iterations

    def probabilities(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """(n,), see `Scorer`."""
        out = np.empty(len(batch))
        for start in range(0, len(batch), PREDICT_ROWS):
            chunk = slice(start, start + PREDICT_ROWS)
            matrix = self.inputs.matrix(batch.take(chunk))
            out[chunk] = self.estimator.predict_proba(matrix)[:, 1]
        return out


@dataclass(frozen=True)
class PlattMargins:
    """An SVM whose margins answer as probabilities."""

    machine: Estimator
    curve: LogisticRegression

    def predict_proba(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, 2) probabilities of both labels."""
        margins = self.machine.decision_function(matrix)
        both: NDArray[np.float64] = self.curve.predict_proba(margins[:, None])
        return both


@dataclass(frozen=True)
class ClassicalTrainer:
    """Fits one of `core.zoo.estimators`."""

    name: str
    settings: ZooSettings
    compute: Compute

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> DenseScorer:
        """Fit on `train`; see `ZooTrainer`."""
        check_blocks(train, tune, iterations)
        settings = self.settings
        inputs = DenseInputs(train.features, one_hot=settings.one_hot, standardise=True, seed=seed)
        matrix, labels = inputs.matrix(train.features), train.labels.astype(np.int8)
        rounds = 1
        answering: Answering
        with warnings.catch_warnings(), threadpool_limits(limits=self.compute.threads):
            warnings.simplefilter("ignore", ConvergenceWarning)
            if self.name in STAGED:
                answering, rounds = self._staged(inputs, matrix, labels, tune, seed, iterations)
            elif self.name in MARGINS:
                answering = self._margins(matrix, labels, seed)
            else:
                answering = self._plain(matrix, labels, seed)
        if progress is not None:
            progress(f"{self.name}: done", 1.0)
        return DenseScorer(inputs, answering, rounds)

    def _plain(self, matrix: NDArray[np.float32], labels: NDArray[np.int8], seed: int) -> Estimator:
        estimator = PLAIN[self.name](self.settings, len(labels), seed)
        if self.name in THREADED:
            estimator.set_params(n_jobs=self.compute.threads or -1)
        estimator.fit(matrix, labels)
        if self.name in THREADED:
            estimator.set_params(n_jobs=1)
        return estimator

    def _staged(
        self,
        inputs: DenseInputs,
        matrix: NDArray[np.float32],
        labels: NDArray[np.int8],
        tune: Examples | None,
        seed: int,
        iterations: int | None,
    ) -> tuple[Estimator, int]:
        """All rounds, and anew with as many as were best on tune, for these cannot be cut."""
        rounds = iterations or self.settings.slow_rounds
        estimator = STAGED[self.name](self.settings, rounds, seed).fit(matrix, labels)
        if tune is None:
            return estimator, rounds
        stages = estimator.staged_predict_proba(inputs.matrix(tune.features))
        best = fewest_losses(tune.labels, (stage[:, 1] for stage in stages))
        return STAGED[self.name](self.settings, best, seed).fit(matrix, labels), best

    def _margins(
        self, matrix: NDArray[np.float32], labels: NDArray[np.int8], seed: int
    ) -> PlattMargins:
        seen = len(labels) - max(1, int(len(labels) * PLATT_SHARE))
        machine = MARGINS[self.name](self.settings, seen, seed).fit(matrix[:seen], labels[:seen])
        margins = machine.decision_function(matrix[seen:])
        return PlattMargins(machine, LogisticRegression().fit(margins[:, None], labels[seen:]))


def fewest_losses(labels: NDArray[np.float32], stages: Iterable[NDArray[np.float64]]) -> int:
    """The number of rounds, from 1, after which the log-loss is lowest."""
    losses = []
    for probabilities in stages:
        p = np.clip(probabilities, 1e-12, 1 - 1e-12)
        losses.append(float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p))))
    return 1 + int(np.argmin(losses))
