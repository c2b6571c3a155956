"""All rows of the zoo, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.models.base import Examples, Model, Progress, Trainer, Trainers
from core.models.settings import Compute
from core.state.columns import FeatureBatch
from core.zoo.boosting import CatBoostTrainer, HistTrainer, XGBoostTrainer
from core.zoo.classical import ClassicalTrainer
from core.zoo.contract import Entry, ZooTrainer
from core.zoo.flat_net import FlatNetTrainer
from core.zoo.hybrid import EluHybrid, ReluHybrid, SeluHybrid
from core.zoo.nets import DeepFm, Mlp, SequenceCnn, WideDeep
from core.zoo.settings import ZooSettings

ENSEMBLE = "ensemble"
"""The fit whose two profiles are rows of the table; made as `encore evaluate` makes it."""

CLASSICAL = {
    "logistic_regression": "logistic regression",
    "decision_tree": "decision tree",
    "random_forest": "random forest",
    "extra_trees": "extra trees",
    "adaboost": "AdaBoost",
    "gradient_boosting": "gradient boosting",
    "linear_svm": "linear SVM",
    "rbf_svm": "RBF SVM",
    "nearest_neighbours": "k-NN",
    "naive_bayes": "Gaussian naive Bayes",
}
BOOSTED: Mapping[str, tuple[str, Callable[[ZooSettings, Compute], ZooTrainer]]] = {
    "hist_gradient_boosting": ("HistGradientBoosting", HistTrainer),
    "xgboost": ("XGBoost", XGBoostTrainer),
    "catboost": ("CatBoost", CatBoostTrainer),
}
MEMBERS = {
    "lightgbm": "LightGBM alone",
    "symmetric": "symmetric trees alone",
    "jenn": "JENN alone",
    "felu": "F-ELU-Net alone",
}
NETS = {
    "deepfm": ("DeepFM", DeepFm),
    "wide_deep": ("Wide & Deep", WideDeep),
    "mlp": ("MLP", Mlp),
    "sequence_cnn": ("1-D CNN over the sequence", SequenceCnn),
    "hybrid_relu": ("hybrid MLP, ReLU", ReluHybrid),
    "hybrid_selu": ("hybrid MLP, SELU", SeluHybrid),
    "hybrid_elu": ("hybrid MLP, ELU", EluHybrid),
}
NAMES = (*CLASSICAL, *BOOSTED, *MEMBERS, *NETS, ENSEMBLE)
"""What `--only` may name."""


@dataclass(frozen=True)
class MemberScorer:
    """A member by itself."""

    model: Model

    def iterations(self) -> int:
        """Rounds or epochs that were fitted."""
        return self.model.iterations()

    def probabilities(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """(n,), see `Scorer`."""
        probabilities: NDArray[np.float64] = expit(self.model.predict(batch))
        return probabilities


@dataclass(frozen=True)
class MemberTrainer:
    """A member of the ensemble as a row of the zoo."""

    trainer: Trainer

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> MemberScorer:
        """Fit on `train`; see `ZooTrainer`."""
        model = self.trainer.fit(train, tune, seed=seed, iterations=iterations, progress=progress)
        return MemberScorer(model)


def zoo_entries(trainers: Trainers, settings: ZooSettings, compute: Compute) -> Mapping[str, Entry]:
    """Every row but the ensemble's, by name.

    Args:
        trainers: of the ensemble's members, for those that stand alone.
        settings: sizes and limits of all others.
        compute: threads and device of a fit.
    """
    limits = vars(settings.limits)
    entries = {
        name: Entry(title, partial(ClassicalTrainer, name, settings, compute), limits.get(name))
        for name, title in CLASSICAL.items()
    }
    for name, (title, boosted) in BOOSTED.items():
        entries[name] = Entry(title, partial(boosted, settings, compute))
    for name, title in MEMBERS.items():
        entries[name] = Entry(title, partial(MemberTrainer, trainers[name]))
    for name, (title, net) in NETS.items():
        entries[name] = Entry(
            title,
            partial(FlatNetTrainer, net, settings, compute),
            needs_trail=name == "sequence_cnn",
        )
    return entries
