"""LightGBM as a member: leaf-wise trees on all columns but identities."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from lightgbm.callback import CallbackEnv
from numpy.typing import NDArray

from core.errors import BundleError
from core.mapped import pieces
from core.models.base import LIST_DEPTH, Contributions, Examples, Progress, check_blocks
from core.models.settings import Compute
from core.models.tree_files import read_trees, write_trees
from core.models.tree_inputs import MaskedRows, TreeColumns, fewest_rounds, shown_categories
from core.state.columns import Columns, FeatureBatch

PREDICT_ROWS = 65_536
"""Rows laid out at once: bounds the memory of a prediction."""
SERVING_ROWS = 4096
"""Batches up to this size are scored on one thread: starting more costs more than they save."""
# LightGBM writes to standard output, whatever its verbosity, when it reads rows piece by piece.
_LOG = logging.getLogger("core.models.lightgbm")
_LOG.addHandler(logging.NullHandler())
lightgbm.register_logger(_LOG, info_method_name="debug", warning_method_name="debug")

_TREES = "trees.txt"


@dataclass(frozen=True)
class TreeSettings:
    """Shape and number of the trees; strengths are per row, so one setting fits all log sizes."""

    max_rounds: int = 1200
    """Trees at most, when a tune block says when to stop."""
    patience: int = 60
    """Rounds without a better tune log-loss after which fitting stops."""
    loss_tolerance: float = 1e-4
    """Of the rounds whose tune log-loss is within this (nats) of the best the fewest are kept:
    serving time grows with every tree, and the last third of them hardly adds quality."""
    learning_rate: float = 0.05
    """Many small steps beat few large ones on future data (THESIS.md, section 7)."""
    leaves: int = 31
    """Leaves of a tree at most."""
    leaf_rows_share: float = 1.85e-4
    """A leaf holds at least this share of the rows ..."""
    min_leaf_rows: int = 20
    """... and at least so many, or a tenth of a tiny log."""
    l2_per_row: float = 1e-3
    """L2 on leaf values, times the number of rows."""
    bins: int = 127
    """Values that a number column is cut into: a tree costs about half with 63."""
    feature_share: float = 0.4
    """Columns drawn for each tree."""
    random_thresholds: bool = True
    """Each split looks at one threshold a column, drawn at random (extremely randomised trees):
    less is learned by heart where numbers are noisy, a little is lost where they are not. Takes
    some hundred rounds."""
    row_share: float = 0.9
    """Rows drawn for each tree."""
    max_categories: int = 32
    """Code columns with more categories are left out: their counters and rates are number
    columns already, while trees learn rare categories by heart (docs/experiments.md)."""
    context_dropout: float = 0.25
    """Share of the training rows whose context is unknown."""
    orders_lists: bool = False
    """Learn which candidates of a list come first (LambdaMART; Burges, "From RankNet to LambdaRank
    to LambdaMART", 2010) instead of probabilities: rows must have their lists. What the trees add
    up to is then no log-odds; a stack makes it one."""
    l2_per_list: float = 2e-3
    """L2 on leaf values, times the number of lists, where lists are ordered: the gradients of each
    add up to much the same, however many rows it has."""
    lists_per_round: int = 32
    """Lists to each tree, beyond 200 trees: of fewer, more trees learn by heart what was taken."""

    def for_lists(self) -> TreeSettings:
        """The same shape for ordering lists: thresholds are searched, so that few trees do.

        How many is for `rounds_of` to say: the NDCG of a tune block of some hundred lists moves
        more by chance than by another hundred trees.
        """
        few = min(self.max_rounds, 600)
        return replace(self, orders_lists=True, random_thresholds=False, max_rounds=few)

    def rounds_of(self, n_lists: int) -> int:
        """How many trees so many lists bear (docs/experiments.md)."""
        return min(self.max_rounds, max(200, n_lists // self.lists_per_round))

    def parameters(
        self, n_rows: int, seed: int, compute: Compute, *, n_lists: int = 0
    ) -> dict[str, Any]:
        """LightGBM's parameters for `n_rows`, which are candidates of so many lists."""
        smallest = max(1, min(self.min_leaf_rows, n_rows // 10))
        return {
            "objective": "lambdarank" if self.orders_lists else "binary",
            # Pairs below twice the depth that lists are judged at count for little.
            "lambdarank_truncation_level": 2 * LIST_DEPTH,
            "metric": "None" if self.orders_lists else "binary_logloss",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": max(smallest, int(self.leaf_rows_share * n_rows)),
            "lambda_l2": self.l2_per_list * n_lists
            if self.orders_lists
            else self.l2_per_row * n_rows,
            "feature_fraction": self.feature_share,
            "extra_trees": self.random_thresholds,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "max_bin": self.bins,
            # Rows are drawn one by one in Python for this, and the bins hardly change with more.
            "bin_construct_sample_cnt": 30_000,
            "seed": seed,
            "deterministic": True,
            # Row-wise builds the same trees from a second copy of all bins, and is no faster.
            "force_col_wise": True,
            "num_threads": compute.threads or 0,
            "verbosity": -1,
        }


class TreeModel:
    """A fitted LightGBM model."""

    def __init__(
        self,
        trees: str,
        columns: Columns,
        categories: tuple[str, ...],
        settings: TreeSettings,
        compute: Compute,
    ) -> None:
        # What is served is always what a bundle would hold.
        self._trees = trees
        self._booster = lightgbm.Booster(model_str=trees)
        self._columns = columns
        self._settings = settings
        self._categories = categories
        self._layout = TreeColumns(columns, categories)
        self._compute = compute

    @property
    def name(self) -> str:
        """The member's name."""
        return "lightgbm"

    def iterations(self) -> int:
        """Trees that were fitted."""
        return int(self._booster.num_trees())

    def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """Logits (n,)."""
        logits = np.empty(len(batch))
        threads = 1 if len(batch) <= SERVING_ROWS else self._compute.threads or 0
        for rows, piece in pieces(batch, PREDICT_ROWS):
            matrix = self._layout.matrix(piece, np.float32)
            logits[rows] = self._booster.predict(matrix, raw_score=True, num_threads=threads)
        return logits

    def contributions(self, batch: FeatureBatch) -> Contributions:
        """SHAP values, milliseconds a row: exact for trees (Lundberg et al. 2018, TreeSHAP)."""
        names, families = tuple(self._layout.names), tuple(self._layout.families)
        if not len(batch):
            return Contributions(names, families, np.zeros(0), np.zeros((0, len(names))))
        matrix = self._layout.matrix(batch, np.float32)
        # LightGBM puts the base last.
        told = np.asarray(
            self._booster.predict(matrix, pred_contrib=True, num_threads=1), np.float64
        )
        return Contributions(names, families, told[:, -1], told[:, :-1])

    def save(self, directory: Path) -> None:
        """Write LightGBM's own text format and the description."""
        write_trees(
            directory,
            _TREES,
            self._trees.encode(),
            self._columns,
            member=self.name,
            categories=self._categories,
            settings=asdict(self._settings),
        )


@dataclass(frozen=True)
class TreeTrainer:
    """Fits LightGBM."""

    settings: TreeSettings = field(default_factory=TreeSettings)
    """Shape and number of the trees."""
    compute: Compute = field(default_factory=Compute)
    """Where it runs: only the threads matter."""

    @property
    def name(self) -> str:
        """The member's name."""
        return "lightgbm"

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> TreeModel:
        """Fit on `train`; iterations are trees."""
        check_blocks(train, tune, iterations)
        settings = self.settings
        categories = shown_categories(train.features, settings.max_categories)
        layout = TreeColumns(train.features.columns, categories)
        sizes = _list_sizes(train, settings)
        n_lists = 0 if sizes is None else len(sizes)
        rounds = iterations or self.settled_iterations(train) or settings.max_rounds
        parameters = settings.parameters(len(train), seed, self.compute, n_lists=n_lists)
        data = lightgbm.Dataset(
            MaskedRows(layout, train.features, share=settings.context_dropout, seed=seed),
            label=train.labels,
            group=sizes,
            params=parameters,
            categorical_feature=layout.categorical,
        )
        losses: dict[str, dict[str, list[float]]] = {}
        callbacks: list[Any] = [] if progress is None else [_reporter(progress, rounds)]
        valid = []
        stops_early = tune is not None and not settings.orders_lists
        if tune is not None and stops_early:
            rows = MaskedRows(layout, tune.features, share=0.0, seed=seed)
            valid = [data.create_valid(rows, label=tune.labels, params=parameters)]
            callbacks += [
                lightgbm.early_stopping(settings.patience, verbose=False),
                lightgbm.record_evaluation(losses),
            ]
        booster = lightgbm.train(
            parameters, data, rounds, valid_sets=valid, valid_names=["tune"][: len(valid)],
            callbacks=callbacks,
        )  # fmt: skip
        kept = rounds
        if stops_early:
            kept = fewest_rounds(losses["tune"]["binary_logloss"], settings.loss_tolerance)
        trees = booster.model_to_string(num_iteration=kept)
        if progress is not None:
            progress("lightgbm: done", 1.0)
        return TreeModel(trees, train.features.columns, categories, settings, self.compute)

    def settled_iterations(self, train: Examples) -> int | None:
        """Where lists are ordered, their number says how many trees; else a tune block does."""
        sizes = _list_sizes(train, self.settings)
        return None if sizes is None else self.settings.rounds_of(len(sizes))

    def load(self, directory: Path, columns: Columns) -> TreeModel:
        """Read what `save` wrote."""
        try:
            trees, categories, kept = read_trees(directory, _TREES, columns, member=self.name)
            settings = TreeSettings(**kept)
            return TreeModel(trees.decode(), columns, categories, settings, self.compute)
        except (OSError, KeyError, TypeError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise BundleError(
                f"{directory.name} cannot be loaded ({error}): publish the bundle anew"
            ) from error


def _list_sizes(examples: Examples, settings: TreeSettings) -> NDArray[np.intp] | None:
    """(lists,) rows of each list; None where no lists are ordered."""
    if not settings.orders_lists:
        return None
    if examples.lists is None:
        raise ValueError("trees that order lists need examples with their lists")
    return np.diff(np.flatnonzero(np.diff(examples.lists, prepend=-1, append=-1)))


def _reporter(progress: Progress, rounds: int) -> Callable[[CallbackEnv], None]:
    def report(environment: CallbackEnv) -> None:
        done = environment.iteration + 1
        if done % 10 == 0:
            progress(f"lightgbm: round {done} of at most {rounds}", done / rounds)

    return report
