"""Histogram boosting of three libraries: rounds stop early on tune, refits repeat them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from core.models.base import Examples, Progress, check_blocks
from core.models.settings import Compute
from core.state.columns import FeatureBatch
from core.zoo.classical import DenseScorer
from core.zoo.inputs import CategoryInputs, DenseInputs
from core.zoo.settings import ZooSettings


@dataclass(frozen=True)
class HistTrainer:
    """scikit-learn's HistGradientBoosting; unknown numbers stay unknown."""

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
        inputs = _raw_inputs(train, self.settings, seed)
        estimator = HistGradientBoostingClassifier(
            learning_rate=self.settings.learning_rate,
            max_iter=iterations or self.settings.rounds,
            min_samples_leaf=self.settings.leaf_rows,
            l2_regularization=10.0,
            max_features=0.5,
            early_stopping=tune is not None,
            n_iter_no_change=self.settings.patience,
            random_state=seed,
        )
        held = {}
        if tune is not None:
            held = {"X_val": inputs.matrix(tune.features), "y_val": tune.labels.astype(np.int8)}
        with threadpool_limits(limits=self.compute.threads):
            estimator.fit(inputs.matrix(train.features), train.labels.astype(np.int8), **held)
        rounds = int(estimator.n_iter_)
        if tune is not None:
            # The first score is from before the first round.
            rounds = max(1, int(np.argmax(estimator.validation_score_)))
        if progress is not None:
            progress("hist_gradient_boosting: done", 1.0)
        return DenseScorer(inputs, estimator, rounds)


@dataclass(frozen=True)
class XGBoostTrainer:
    """XGBoost's histogram trees; unknown numbers stay unknown."""

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
        import xgboost  # noqa: PLC0415 - of the extra `bench`

        check_blocks(train, tune, iterations)
        inputs = _raw_inputs(train, self.settings, seed)
        estimator = xgboost.XGBClassifier(
            n_estimators=iterations or self.settings.rounds,
            learning_rate=self.settings.learning_rate,
            max_depth=self.settings.depth,
            min_child_weight=self.settings.leaf_rows,
            reg_lambda=10.0,
            subsample=0.8,
            colsample_bytree=0.5,
            tree_method="hist",
            eval_metric="logloss",
            early_stopping_rounds=self.settings.patience if tune is not None else None,
            n_jobs=self.compute.threads or 0,
            random_state=seed,
            verbosity=0,
        )
        held = []
        if tune is not None:
            held = [(inputs.matrix(tune.features), tune.labels)]
        estimator.fit(
            inputs.matrix(train.features), train.labels, eval_set=held or None, verbose=False
        )
        rounds = iterations or int(estimator.best_iteration) + 1
        estimator.set_params(n_jobs=1)
        estimator.get_booster().set_param({"nthread": 1})
        if progress is not None:
            progress("xgboost: done", 1.0)
        return DenseScorer(inputs, estimator, rounds)


@dataclass(frozen=True)
class CatBoostScorer:
    """A fitted CatBoost model."""

    inputs: CategoryInputs
    model: Any

    def iterations(self) -> int:
        """Trees that were kept."""
        return int(self.model.tree_count_)

    def probabilities(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """(n,), see `Scorer`."""
        pool = _pool(self.inputs, batch, None)
        both: NDArray[np.float64] = self.model.predict_proba(pool, thread_count=1)
        return both[:, 1]


@dataclass(frozen=True)
class CatBoostTrainer:
    """CatBoost's symmetric trees over numbers and categories as such."""

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
    ) -> CatBoostScorer:
        """Fit on `train`; see `ZooTrainer`."""
        from catboost import CatBoostClassifier  # noqa: PLC0415 - slow to import

        check_blocks(train, tune, iterations)
        inputs = CategoryInputs(train.features)
        model = CatBoostClassifier(
            iterations=iterations or self.settings.rounds,
            learning_rate=self.settings.learning_rate,
            depth=self.settings.depth,
            l2_leaf_reg=10.0,
            rsm=0.5,
            max_ctr_complexity=1,
            random_seed=seed,
            thread_count=self.compute.threads or -1,
            allow_writing_files=False,
            verbose=False,
        )
        held = {}
        if tune is not None:
            held = {
                "eval_set": _pool(inputs, tune.features, tune.labels),
                "early_stopping_rounds": self.settings.patience,
                "use_best_model": True,
            }
        model.fit(_pool(inputs, train.features, train.labels), **held)
        if progress is not None:
            progress("catboost: done", 1.0)
        return CatBoostScorer(inputs, model)


def _pool(
    inputs: CategoryInputs, batch: FeatureBatch, labels: NDArray[np.float32] | None
) -> object:
    from catboost import FeaturesData, Pool  # noqa: PLC0415 - slow to import

    numbers, categories = inputs.parts(batch)
    return Pool(FeaturesData(num_feature_data=numbers, cat_feature_data=categories), label=labels)


def _raw_inputs(train: Examples, settings: ZooSettings, seed: int) -> DenseInputs:
    return DenseInputs(train.features, one_hot=settings.one_hot, standardise=False, seed=seed)
