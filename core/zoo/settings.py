"""Sizes and limits of the zoo's models: ordinary values, lightly tuned, none on a test block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.models.settings import NetSettings


@dataclass(frozen=True)
class RowLimits:
    """Most rows that a slow method is fitted on, the latest of its block; None is no limit."""

    logistic_regression: int | None = 500_000
    """Its memory is a dense copy of the rows."""
    decision_tree: int | None = 500_000
    random_forest: int | None = 200_000
    extra_trees: int | None = 200_000
    adaboost: int | None = 50_000
    gradient_boosting: int | None = 50_000
    """Sorts every column at every split; its histogram twin takes all rows."""
    linear_svm: int | None = 100_000
    rbf_svm: int | None = 5_000
    """Quadratic in the rows, and every support vector is met again at every prediction."""
    nearest_neighbours: int | None = 20_000
    """Every row is met again at every prediction."""

    def capped(self, rows: int) -> RowLimits:
        """No limit of these above `rows`."""
        return replace(
            self, **{name: min(limit or rows, rows) for name, limit in vars(self).items()}
        )


@dataclass(frozen=True)
class ZooSettings:
    """One size for all zoo models."""

    one_hot: int = 16
    """Codes shown by a column at most for it to become one column a code."""
    trees: int = 200
    """Of random forests and extra trees."""
    leaf_rows: int = 20
    """Rows in a leaf of these at least, and of boosted trees."""
    rounds: int = 1000
    """Of boosting at most, when tune says when to stop."""
    patience: int = 40
    """Rounds without a better tune log-loss after which boosting stops."""
    learning_rate: float = 0.05
    """Of histogram boosting, XGBoost and CatBoost."""
    slow_rounds: int = 150
    """Of AdaBoost and plain gradient boosting at most."""
    depth: int = 6
    """Of XGBoost's and CatBoost's trees."""
    neighbours: int = 100
    """Of k-NN."""
    trail: int = 16
    """Objects of the listening sequence that the 1-D CNN sees."""
    crosses: int = 1 << 16
    """Buckets for the crossed categories of Wide&Deep."""
    net: NetSettings = field(
        default_factory=lambda: NetSettings(batch_norm=False, width=74, embedding=11)
    )
    """Sizes and schedule of the nets that are no members."""
    limits: RowLimits = field(default_factory=RowLimits)


_QUICK_NET = NetSettings(
    batch_norm=False,
    width=32,
    embedding=8,
    learning_rate=3e-3,
    batch_rows=2048,
    max_epochs=4,
    patience=1,
)
_STANDARD = ZooSettings()

ZOO_SETTINGS: Mapping[str, ZooSettings] = {
    "standard": _STANDARD,
    "quick": replace(
        _STANDARD,
        trees=60,
        rounds=200,
        patience=15,
        learning_rate=0.1,
        slow_rounds=60,
        net=_QUICK_NET,
        limits=RowLimits().capped(20_000),
    ),
    "tiny": replace(
        _STANDARD,
        trees=10,
        rounds=20,
        patience=3,
        learning_rate=0.2,
        slow_rounds=10,
        depth=3,
        neighbours=25,
        trail=4,
        crosses=64,
        net=replace(_QUICK_NET, width=8, embedding=4, batch_rows=512, epoch_steps=8, max_epochs=2),
        limits=RowLimits().capped(1000),
    ),
}
"""By the name of the recipe whose members stand beside the zoo."""
