"""The estimators behind the classical models: shape and strength of each, nothing fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from core.zoo.settings import ZooSettings


class Estimator(Protocol):
    """A classifier of scikit-learn; which of the last three it has, the lists below say."""

    def fit(self, matrix: NDArray[np.float32], labels: NDArray[np.int8]) -> Estimator:
        """Fit on rows (n, columns)."""
        ...

    def set_params(self, *, n_jobs: int) -> Estimator:
        """Set the threads."""
        ...

    def predict_proba(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, 2) probabilities of both labels."""
        ...

    def decision_function(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) margins."""
        ...

    def staged_predict_proba(self, matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
        """(n, 2) after each round."""
        ...


Build = Callable[[ZooSettings, int, int], Estimator]
"""From settings, number of rows of the fit and seed to an estimator."""


PLAIN: Mapping[str, Build] = {
    # Weak columns are many and alike: L2 of a strength that grows with the rows.
    "logistic_regression": lambda _, rows, seed: LogisticRegression(
        C=1000.0 / rows, max_iter=300, tol=1e-3, random_state=seed
    ),
    # Leaves of half a percent of the rows, so that a leaf's share is a probability.
    "decision_tree": lambda _, rows, seed: DecisionTreeClassifier(
        min_samples_leaf=min(max(50, rows // 200), rows // 10), random_state=seed
    ),
    "random_forest": lambda settings, _, seed: RandomForestClassifier(
        settings.trees, min_samples_leaf=settings.leaf_rows, random_state=seed
    ),
    "extra_trees": lambda settings, _, seed: ExtraTreesClassifier(
        settings.trees, min_samples_leaf=settings.leaf_rows, random_state=seed
    ),
    # Exact search: in hundreds of columns no index is faster.
    "nearest_neighbours": lambda settings, _, __: KNeighborsClassifier(
        settings.neighbours, algorithm="brute"
    ),
    # Near-constant columns are widened: they would outvote all others.
    "naive_bayes": lambda _, __, ___: GaussianNB(var_smoothing=1e-3),
}
"""Fitted at once, with probabilities of their own."""

THREADED = frozenset({"random_forest", "extra_trees", "nearest_neighbours"})
"""Those whose threads are a setting of the estimator."""

MARGINS: Mapping[str, Build] = {
    "linear_svm": lambda _, rows, seed: LinearSVC(
        C=1000.0 / rows, dual=False, tol=1e-3, random_state=seed
    ),
    "rbf_svm": lambda _, __, seed: SVC(C=1.0, gamma="scale", cache_size=500, random_state=seed),
}
"""Fitted at once; their margins become probabilities by Platt's curve."""

STAGED: Mapping[str, Build] = {
    "adaboost": lambda _, rounds, seed: AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=2, max_features="sqrt"),
        n_estimators=rounds,
        learning_rate=0.5,
        random_state=seed,
    ),
    # Exact splits over columns and rows drawn for speed.
    "gradient_boosting": lambda settings, rounds, seed: GradientBoostingClassifier(
        n_estimators=rounds,
        learning_rate=max(settings.learning_rate, 0.1),
        max_depth=4,
        min_samples_leaf=settings.leaf_rows,
        max_features="sqrt",
        subsample=0.7,
        random_state=seed,
    ),
}
"""In rounds, which are chosen on tune: these take the number of rounds for that of rows."""
