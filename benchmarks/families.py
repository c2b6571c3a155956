"""What each feature family is worth on the tune block: LightGBM without it, on the same rows.

    python -m benchmarks.families music --data DIR

Fitted on the train block, judged on the tune block, so that it may be looked at as often as
choices are made; the test block takes no part. Each line says the AUC with its 95 % bootstrap
interval over users, and that of the paired difference to all columns.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.evaluation import auc, bootstrap_auc, interval, paired_auc_interval
from core.examples import ExampleTable, replay_examples
from core.models import Compute, Examples, TreeSettings, TreeTrainer
from core.readers import read_log
from core.state.columns import Columns, Family, FeatureBatch
from core.state.state import State
from core.training import Blocks, cut_blocks
from domains import domain_named


def without(examples: Examples, family: Family | None) -> Examples:
    """The examples without the columns of a family."""
    features = examples.features
    numbers = [i for i, c in enumerate(features.columns.numbers) if c.family is not family]
    codes = [i for i, c in enumerate(features.columns.codes) if c.family is not family]
    columns = Columns(
        tuple(features.columns.numbers[i] for i in numbers),
        tuple(features.columns.codes[i] for i in codes),
    )
    batch = FeatureBatch(columns, features.numbers[:, numbers], features.codes[:, codes])
    return replace(examples, features=batch)


def logits(
    table: ExampleTable, blocks: Blocks, family: Family | None, settings: TreeSettings, seed: int
) -> NDArray[np.float64]:
    """LightGBM's logits of the tune block, without a family."""
    train = without(table.take(blocks.train), family)
    tune = without(table.take(blocks.tune), family)
    return TreeTrainer(settings, Compute()).fit(train, tune, seed=seed).predict(tune.features)


def table_and_blocks(given: argparse.Namespace) -> tuple[ExampleTable, Blocks]:
    """Replay the log of a `domain`, its `data`, `format` and `seed`; cut before the test block."""
    domain = domain_named(given.domain)
    log = read_log(domain.readers, given.data, given.format)
    state = State(domain.schema, log.label_rule.horizon_s, domain.tie_rule)
    recipe = domain.recipe
    table = replay_examples(
        log, state, base_share=recipe.base_share, test_start=recipe.test_start, seed=given.seed
    )
    return table, cut_blocks(table, recipe.test_start, recipe)


def main() -> None:
    """Replay once, fit once a family, print a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("domain")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=0.1, help="coarse, to be quick")
    given = parser.parse_args()
    table, blocks = table_and_blocks(given)
    settings = TreeSettings(learning_rate=given.learning_rate)
    labels, users = table.labels[blocks.tune], table.user[blocks.tune]
    print(f"{blocks.train.sum():,} rows fitted, {len(labels):,} rows of the tune block")
    whole = logits(table, blocks, None, settings, given.seed)
    low, high = interval(bootstrap_auc(labels, whole, users, seed=given.seed))
    print(f"all columns          {auc(labels, whole):.4f} ({low:.4f}–{high:.4f})", flush=True)
    columns = (*table.features.columns.numbers, *table.features.columns.codes)
    for family in (f for f in Family if any(column.family is f for column in columns)):
        part = logits(table, blocks, family, settings, given.seed)
        paired = paired_auc_interval(labels, part, whole, users, seed=given.seed)
        print(
            f"without {family.value:12s} {auc(labels, part):.4f}; "
            f"{paired.difference:+.4f} ({paired.low:+.4f} to {paired.high:+.4f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
