"""Matrix factorisation by `implicit`: ALS and BPR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.lists.baselines.history import History
from core.lists.baselines.scored import Baseline, Scorer, Settings


@dataclass(frozen=True)
class Products:
    """Scores are products of user vectors (n_users, d) and column vectors (c, d)."""

    user_vectors: NDArray[np.float32]
    column_vectors: NDArray[np.float32]

    def scores(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """See Scorer."""
        with threadpool_limits(1):
            return self.user_vectors[users] @ self.column_vectors.T


def _als(history: History) -> Callable[[Settings], Scorer]:
    def fit(settings: Settings) -> Scorer:
        # One thread, so that equal seeds give equal vectors, and implicit does not warn of BLAS.
        with threadpool_limits(1):
            model = AlternatingLeastSquares(
                factors=int(settings["factors"]),
                regularization=float(settings["regularization"]),
                alpha=float(settings["alpha"]),
                iterations=15,
                num_threads=1,
                random_state=history.seed,
            )
            model.fit(history.weighted(str(settings["taken"])), show_progress=False)
        return Products(model.user_factors, model.item_factors)

    return fit


def _bpr(history: History) -> Callable[[Settings], Scorer]:
    def fit(settings: Settings) -> Scorer:
        with threadpool_limits(1):
            model = BayesianPersonalizedRanking(
                factors=int(settings["factors"]),
                learning_rate=float(settings["learning_rate"]),
                regularization=float(settings["regularization"]),
                iterations=int(settings["epochs"]),
                num_threads=1,
                random_state=history.seed,
            )
            model.fit(history.weighted("binary"), show_progress=False)
        return Products(model.user_factors, model.item_factors)

    return fit


ALS = Baseline(
    "ALS",
    {
        "factors": (32.0, 64.0, 128.0),
        "regularization": (1.0, 10.0, 50.0),
        "alpha": (0.3, 1.0, 5.0),
        "taken": ("binary", "log", "counts"),
    },
    _als,
)
BPR = Baseline(
    "BPR",
    {
        "factors": (16.0, 32.0, 64.0),
        "learning_rate": (0.005, 0.01, 0.02),
        "regularization": (0.01, 0.03, 0.1),
        "epochs": (5.0, 15.0, 40.0),
    },
    _bpr,
)
