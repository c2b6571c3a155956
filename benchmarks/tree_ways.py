"""Other ways for the trees of Score to learn, beside the one that serves.

    python -m benchmarks.tree_ways shopping --data DIR

Fitted on the train block, stopped early and judged on the tune block, so that it may be looked at
as often as choices are made; the test block takes no part. Each line says the AUC, the paired
difference to the standard trees with its 95 % interval over users, and the same of both together
(logits of equal spread, added up). Trees that order learn which rows of a user come first; their
number is set, for they have no log-loss to stop by.

Then calibration, which changes no order: trees fitted on what had matured when the stack block
began, calibrated on the half of its users and judged on the other half, by log-loss and calibration
error.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from benchmarks.families import table_and_blocks
from core.evaluation import auc, bootstrap_auc, calibration_error, interval, paired_auc_interval
from core.models import Compute, SymmetricSettings, SymmetricTrainer, TreeSettings, TreeTrainer
from core.models.base import Examples
from core.models.net_training import log_loss
from core.models.tree_inputs import TreeColumns, shown_categories
from core.stack import fit_stack

Logits = NDArray[np.float64]
RATE = 0.1
"""Coarse steps, to be quick."""
ROUNDS = 300
"""Trees of ways that have no log-loss."""


@dataclass(frozen=True)
class Block:
    """Rows of a block of the split."""

    examples: Examples
    users: NDArray[np.int32]
    """(n,) user index of each row."""

    @property
    def labels(self) -> NDArray[np.int8]:
        """(n,) 0 or 1."""
        return self.examples.labels.astype(np.int8)


Way = Callable[[Block, Block, int, Compute], Logits]
"""From a train and a tune block, a seed and threads to scores of the tune block (n,)."""


def standard(
    train: Block, tune: Block, seed: int, compute: Compute, *, random_thresholds: bool = True
) -> Logits:
    """LightGBM by log-loss."""
    settings = TreeSettings(learning_rate=RATE, random_thresholds=random_thresholds)
    model = TreeTrainer(settings, compute).fit(train.examples, tune.examples, seed=seed)
    return model.predict(tune.examples.features)


def ordering(train: Block, tune: Block, seed: int, compute: Compute, *, objective: str) -> Logits:
    """LightGBM by the order of each user's rows."""
    by_user = np.argsort(train.users, kind="stable")
    _, sizes = np.unique(train.users, return_counts=True)
    matrix, layout = _matrix(train.examples)
    settings = TreeSettings(learning_rate=RATE)
    parameters = settings.parameters(len(by_user), seed, compute) | {"objective": objective}
    data = lightgbm.Dataset(
        matrix[by_user],
        train.labels[by_user],
        group=sizes,
        params=parameters,
        categorical_feature=layout.categorical,
    )
    booster = lightgbm.train(parameters, data, ROUNDS)
    judged = layout.matrix(tune.examples.features, np.float32)
    return np.asarray(booster.predict(judged, raw_score=True), np.float64)


def linear(train: Block, tune: Block, seed: int, compute: Compute) -> Logits:
    """LightGBM with a linear model in each leaf."""
    matrix, layout = _matrix(train.examples)
    judged = layout.matrix(tune.examples.features, np.float32)
    settings = TreeSettings(learning_rate=RATE, random_thresholds=False)
    parameters = settings.parameters(len(matrix), seed, compute)
    parameters |= {"linear_tree": True, "linear_lambda": 10.0}
    data = lightgbm.Dataset(matrix, train.labels, params=parameters)
    held = data.create_valid(judged, tune.labels)
    stop = lightgbm.early_stopping(settings.patience, verbose=False)
    booster = lightgbm.train(
        parameters, data, settings.max_rounds, valid_sets=[held], callbacks=[stop]
    )
    return np.asarray(booster.predict(judged, raw_score=True), np.float64)


def symmetric(train: Block, tune: Block, seed: int, compute: Compute, *, depth: int) -> Logits:
    """CatBoost's symmetric trees by log-loss: one split for all nodes of a level."""
    settings = SymmetricSettings(learning_rate=RATE, depth=depth)
    model = SymmetricTrainer(settings, compute).fit(train.examples, tune.examples, seed=seed)
    return model.predict(tune.examples.features)


WAYS: dict[str, Way] = {
    "log-loss, random thresholds": standard,
    "log-loss, searched thresholds": partial(standard, random_thresholds=False),
    "linear leaves": linear,
    "LambdaMART within users": partial(ordering, objective="lambdarank"),
    "XENDCG within users": partial(ordering, objective="rank_xendcg"),
    "symmetric trees, depth 6": partial(symmetric, depth=6),
    "symmetric trees, depth 8": partial(symmetric, depth=8),
}
"""The first is the one that the others are compared with."""


def together(one: Logits, other: Logits) -> Logits:
    """The sum of both at equal spread."""
    both: Logits = one / one.std() + other / other.std()
    return both


def calibrations(logits: Logits, block: Block, *, seed: int) -> dict[str, tuple[float, float]]:
    """Name -> log-loss (nats) and calibration error of one half of the users.

    What is fitted is fitted on the other half.
    """
    users = np.unique(block.users)
    learnt = np.random.default_rng(seed).permutation(users)[: len(users) // 2]
    fitted = np.isin(block.users, learnt)
    labels, judged = block.examples.labels, ~fitted
    rate = float(labels[fitted].mean())
    level = np.log(rate / (1.0 - rate))
    moved = logits + level - _log_odds(float(expit(logits[fitted]).mean()))
    scale = fit_stack(["trees"], logits[fitted][:, None], labels[fitted])
    steps = IsotonicRegression(y_min=1e-4, y_max=1.0 - 1e-4, out_of_bounds="clip")
    steps.fit(logits[fitted], labels[fitted])
    said = {
        "as the trees say it": logits,
        "level alone": moved,
        "level and temperature (the stack)": scale.predict(logits[:, None]),
        "isotonic": _log_odds(steps.predict(logits)),
    }
    return {
        name: (
            log_loss(value[judged], labels[judged]),
            calibration_error(block.labels[judged], expit(value[judged])),
        )
        for name, value in said.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay once, fit once a way, print a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("domain")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", nargs="*", choices=list(WAYS), help="the first always runs")
    given = parser.parse_args(arguments)
    compute = Compute(threads=given.threads)
    table, blocks = table_and_blocks(given)
    train, tune, before, stack = (
        Block(table.take(rows), table.user[rows])
        for rows in (blocks.train, blocks.tune, blocks.before_stack, blocks.stack)
    )
    print(f"{len(train.users):,} rows fitted, {len(tune.users):,} rows of the tune block")
    first = next(iter(WAYS))
    base = _shown(first, train, tune, given.seed, compute, None)
    for name in [n for n in WAYS if n != first and (given.only is None or n in given.only)]:
        _shown(name, train, tune, given.seed, compute, base)
    model = TreeTrainer(replace(TreeSettings(), learning_rate=RATE), compute).fit(
        before.examples, None, seed=given.seed, iterations=ROUNDS
    )
    found = calibrations(model.predict(stack.examples.features), stack, seed=given.seed)
    print(f"\n{len(stack.users):,} rows of the stack block")
    for name, (loss, error) in found.items():
        print(f"{name:34s} log-loss {loss:.5f}  calibration error {error:.4f}")


def _shown(
    name: str, train: Block, tune: Block, seed: int, compute: Compute, base: Logits | None
) -> Logits:
    begun = time.perf_counter()
    found = WAYS[name](train, tune, seed, compute)
    line = f"{name:32s} {time.perf_counter() - begun:4.0f} s  {auc(tune.labels, found):.4f}"
    if base is None:
        low, high = interval(bootstrap_auc(tune.labels, found, tune.users, seed=seed))
        line += f" ({low:.4f} to {high:.4f})"
    else:
        for added, scores in (("", found), ("  with the first ", together(base, found))):
            paired = paired_auc_interval(tune.labels, scores, base, tune.users, seed=seed)
            line += f"{added} {paired.difference:+.4f} ({paired.low:+.4f} to {paired.high:+.4f})"
    print(line, flush=True)
    return found


def _matrix(examples: Examples) -> tuple[NDArray[np.float32], TreeColumns]:
    """What the standard trees see of the rows, and how it is laid out."""
    categories = shown_categories(examples.features, TreeSettings().max_categories)
    layout = TreeColumns(examples.features.columns, categories)
    return layout.matrix(examples.features, np.float32), layout


def _log_odds(probability: float | NDArray[np.float64]) -> Logits:
    odds: Logits = np.log(probability) - np.log1p(-np.asarray(probability))
    return odds


if __name__ == "__main__":
    main()
