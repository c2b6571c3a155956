"""CatBoost's symmetric trees as a member: all nodes of a level ask the same question.

So a tree is a table with an entry for each combination of a few answers, and costs a fraction of a
leaf-wise one to read (Prokhorenkova et al., "CatBoost: unbiased boosting with categorical
features", 2018). It errs elsewhere than LightGBM's trees do, too (docs/experiments.md).
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from core.errors import BundleError
from core.mapped import pieces
from core.models.base import Contributions, Examples, Progress, check_blocks
from core.models.settings import Compute
from core.models.tree_files import read_trees, write_trees
from core.models.tree_inputs import MaskedRows, TreeColumns, fewest_rounds, shown_categories
from core.state.columns import Columns, FeatureBatch

PREDICT_ROWS = 65_536
"""Rows laid out at once: bounds the memory of a prediction."""
SERVING_ROWS = 4096
"""Batches up to this size are scored on one thread: starting more costs more than they save."""

_TREES = "trees.cbm"


@dataclass(frozen=True)
class SymmetricSettings:
    """Shape and number of the trees."""

    max_rounds: int = 2000
    """Trees at most, when a tune block says when to stop."""
    patience: int = 60
    """Rounds without a better tune log-loss after which fitting stops."""
    loss_tolerance: float = 2e-5
    """Of the rounds whose tune log-loss is within this (nats) of the best the fewest are kept: they
    cost little, so that less may be given up for them than with leaf-wise trees."""
    learning_rate: float = 0.05
    """What each tree adds of what it found."""
    leaf_steps: int = 1
    """Newton steps to a leaf's value. CatBoost's own default is another with a tune block than
    without, so that a refit would not repeat the fit."""
    depth: int = 6
    """Questions of a tree: it has 2 to their power of leaves."""
    l2: float = 30.0
    """Pull of the leaf values to zero, in rows."""
    bins: int = 127
    """Values that a number column is cut into."""
    feature_share: float = 0.4
    """Columns drawn for each question."""
    max_categories: int = 32
    """Code columns with more categories are left out, as LightGBM's trees leave them out."""
    context_dropout: float = 0.25
    """Share of the training rows whose context is unknown."""
    max_rows: int = 2_000_000
    """A fit takes so many of the latest rows at most: CatBoost wants them all in memory."""

    def parameters(self, rounds: int, seed: int, compute: Compute) -> dict[str, Any]:
        """CatBoost's parameters."""
        return {
            "loss_function": "Logloss",
            "iterations": rounds,
            "learning_rate": self.learning_rate,
            "depth": self.depth,
            "leaf_estimation_iterations": self.leaf_steps,
            "l2_leaf_reg": self.l2,
            "border_count": self.bins,
            "rsm": self.feature_share,
            "random_seed": seed,
            "thread_count": compute.threads or -1,
            "allow_writing_files": False,
            "verbose": False,
        }


class SymmetricModel:
    """A fitted CatBoost model."""

    def __init__(
        self,
        trees: bytes,
        columns: Columns,
        categories: tuple[str, ...],
        settings: SymmetricSettings,
        compute: Compute,
    ) -> None:
        # What is served is always what a bundle would hold.
        self._trees = trees
        self._model = catboost.CatBoost().load_model(blob=trees)
        self._columns = columns
        self._settings = settings
        self._categories = categories
        self._layout = TreeColumns(columns, categories)
        self._compute = compute

    @property
    def name(self) -> str:
        """The member's name."""
        return "symmetric"

    def iterations(self) -> int:
        """Trees that were fitted."""
        return int(self._model.tree_count_)

    def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """Logits (n,)."""
        logits = np.empty(len(batch))
        threads = 1 if len(batch) <= SERVING_ROWS else self._compute.threads or -1
        for rows, piece in pieces(batch, PREDICT_ROWS):
            # CatBoost reads columns, several times as fast.
            matrix = self._layout.matrix(piece, np.float32, "F")
            logits[rows] = self._model.predict(
                matrix, prediction_type="RawFormulaVal", thread_count=threads
            )
        return logits

    def contributions(self, batch: FeatureBatch) -> Contributions:
        """SHAP values, exact for trees (Lundberg et al. 2018, TreeSHAP)."""
        names, families = tuple(self._layout.names), tuple(self._layout.families)
        if not len(batch):
            return Contributions(names, families, np.zeros(0), np.zeros((0, len(names))))
        pool = catboost.Pool(self._layout.matrix(batch, np.float32, "F"))
        # CatBoost puts the base last.
        told = np.asarray(
            self._model.get_feature_importance(pool, type="ShapValues", thread_count=1), np.float64
        )
        return Contributions(names, families, told[:, -1], told[:, :-1])

    def save(self, directory: Path) -> None:
        """Write CatBoost's own format and the description."""
        write_trees(
            directory,
            _TREES,
            self._trees,
            self._columns,
            member=self.name,
            categories=self._categories,
            settings=asdict(self._settings),
        )


@dataclass(frozen=True)
class SymmetricTrainer:
    """Fits CatBoost."""

    settings: SymmetricSettings = field(default_factory=SymmetricSettings)
    """Shape and number of the trees."""
    compute: Compute = field(default_factory=Compute)
    """Where it runs: only the threads matter."""

    @property
    def name(self) -> str:
        """The member's name."""
        return "symmetric"

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> SymmetricModel:
        """Fit on the latest rows of `train`; iterations are trees."""
        check_blocks(train, tune, iterations)
        settings = self.settings
        rows = slice(max(0, len(train) - settings.max_rows), len(train))
        features, labels = train.features.take(rows), train.labels[rows]
        categories = shown_categories(features, settings.max_categories)
        layout = TreeColumns(features.columns, categories)
        rounds = iterations or settings.max_rounds
        held: dict[str, Any] = {}
        if tune is not None:
            held = {
                "eval_set": _pool(MaskedRows(layout, tune.features, share=0.0, seed=seed), tune),
                "early_stopping_rounds": settings.patience,
                "use_best_model": False,
            }
        model = catboost.CatBoost(settings.parameters(rounds, seed, self.compute))
        masked = MaskedRows(layout, features, share=settings.context_dropout, seed=seed)
        callbacks = [] if progress is None else [_Reporter(progress, rounds)]
        model.fit(_pool(masked, Examples(features, labels)), callbacks=callbacks, **held)
        if tune is not None:
            losses = model.evals_result_["validation"]["Logloss"]
            model.shrink(ntree_end=fewest_rounds(losses, settings.loss_tolerance))
        if progress is not None:
            progress("symmetric: done", 1.0)
        return SymmetricModel(
            _written(model), train.features.columns, categories, settings, self.compute
        )

    def load(self, directory: Path, columns: Columns) -> SymmetricModel:
        """Read what `save` wrote."""
        try:
            trees, categories, kept = read_trees(directory, _TREES, columns, member=self.name)
            settings = SymmetricSettings(**kept)
            return SymmetricModel(trees, columns, categories, settings, self.compute)
        except (OSError, KeyError, TypeError, ValueError, catboost.CatBoostError) as error:
            raise BundleError(
                f"{directory.name} cannot be loaded ({error}): publish the bundle anew"
            ) from error


def _pool(rows: MaskedRows, examples: Examples) -> catboost.Pool:
    return catboost.Pool(rows.dense(), examples.labels)


def _written(model: catboost.CatBoost) -> bytes:
    """The model in CatBoost's format, which it writes to files alone; equal fits, equal bytes."""
    noted = model.get_metadata()
    for name in list(noted.keys()):  # the time, a random id, how it was trained
        del noted[name]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / _TREES
        model.save_model(str(path), format="cbm")
        return path.read_bytes()


class _Reporter:
    """CatBoost's way to be asked after every tree."""

    def __init__(self, progress: Progress, rounds: int) -> None:
        self._progress = progress
        self._rounds = rounds

    def after_iteration(self, info: SimpleNamespace) -> bool:
        """Tell how far it is; True to go on."""
        if info.iteration % 10 == 0:
            said = f"symmetric: round {info.iteration} of at most {self._rounds}"
            self._progress(said, info.iteration / self._rounds)
        return True
