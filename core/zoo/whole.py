"""The ensemble as rows of the zoo: fitted by the function that `encore evaluate` measures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.ensemble import PROFILES, Ensemble, Profile
from core.evaluation import auc
from core.models.base import Examples, Model, Progress, Trainer
from core.state.columns import Columns, FeatureBatch
from core.training import fit_as_of, predict_all
from core.zoo.protocol import Measured, Plan, measured, peak_bytes, scored_rows
from core.zoo.registry import ENSEMBLE
from core.zoo.table_files import ZooTable


@dataclass
class WatchedTrainer:
    """A trainer that notes how long its fits took and keeps the model that was chosen on tune."""

    trainer: Trainer
    fit_s: float = 0.0
    tune_logits: NDArray[np.float64] | None = None
    tune_labels: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def name(self) -> str:
        """The member's name."""
        return self.trainer.name

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> Model:
        """As the trainer does."""
        began = time.perf_counter()
        model = self.trainer.fit(train, tune, seed=seed, iterations=iterations, progress=progress)
        self.fit_s += time.perf_counter() - began
        if tune is not None:
            self.tune_logits = model.predict(tune.features)
            self.tune_labels = tune.labels
        return model

    def load(self, directory: Path, columns: Columns) -> Model:
        """As the trainer does."""
        return self.trainer.load(directory, columns)


def measure_ensemble(
    table: ZooTable, plan: Plan, progress: Progress | None = None
) -> list[Measured]:
    """Fit once, measure both profiles.

    A profile's seconds are those of its members; the peak is that of the one fit. The stack block
    lies after tune, so what is said of tune is the AUC of the mean of the members' logits.
    """
    watched = {name: WatchedTrainer(trainer) for name, trainer in plan.trainers().items()}
    named = None if progress is None else _under(progress)
    fitted = fit_as_of(
        table.examples,
        plan.recipe.test_start,
        plan.recipe,
        watched,
        seed=plan.seed,
        progress=named,
    )
    peak = peak_bytes()
    test = scored_rows(table, plan.recipe)
    return [
        measured(
            f"{ENSEMBLE}_{profile.value}",
            f"ensemble, {profile.value}",
            partial(_score, fitted.ensemble, profile),
            table.examples.take(test),
            table.examples.user[test],
            plan,
            tune_auc=_tune_auc(watched, PROFILES[profile]),
            fitted_rows=int(fitted.blocks.all.sum()),
            iterations=max(fitted.iterations[name] for name in PROFILES[profile]),
            fit_s=sum(watched[name].fit_s for name in PROFILES[profile]),
            peak=peak,
        )
        for profile in fitted.ensemble.stacks
    ]


def _score(ensemble: Ensemble, profile: Profile, batch: FeatureBatch) -> NDArray[np.float64]:
    return predict_all(ensemble, batch, profile)[0]


def _tune_auc(watched: Mapping[str, WatchedTrainer], names: tuple[str, ...]) -> float | None:
    logits = [watched[name].tune_logits for name in names]
    known = [column for column in logits if column is not None]
    if len(known) < len(names):
        return None
    found = auc(watched[names[0]].tune_labels.astype(np.int8), np.mean(known, axis=0))
    return None if np.isnan(found) else found


def _under(progress: Progress) -> Progress:
    return lambda what, done: progress(f"{ENSEMBLE}: {what}", done)
