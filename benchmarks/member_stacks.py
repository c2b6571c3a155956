"""What each member of Score is worth, alone and in the stack, on the tune block.

    python -m benchmarks.member_stacks shopping --data DIR

Members are fitted on the train block and choose their iterations on the tune block, which judges
them, too: it may be looked at as often as choices are made, and the test block takes no part. A
stack of several is fitted on one half of the block's users and judged on the other, both ways. Each
line says the AUC, and the paired difference to the full profile with its 95 % interval over users.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.families import table_and_blocks
from core.ensemble import PROFILES, Profile
from core.evaluation import auc, bootstrap_auc, interval, paired_auc_interval
from core.models import RECIPES, Compute
from core.stack import fit_stack

Logits = NDArray[np.float64]


def halved_stack(
    logits: Logits, labels: NDArray[np.float32], users: NDArray[np.int32], *, seed: int
) -> Logits:
    """What a stack of members (n, members) says of each row (n,), fitted on the other users."""
    everyone = np.unique(users)
    first = np.random.default_rng(seed).permutation(everyone)[: len(everyone) // 2]
    said, is_first = np.empty(len(labels)), np.isin(users, first)
    names = [str(index) for index in range(logits.shape[1])]
    for judged in (is_first, ~is_first):
        said[judged] = fit_stack(names, logits[~judged], labels[~judged]).predict(logits[judged])
    return said


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay and fit once, print a line for each member and stack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("domain")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--format")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    table, blocks = table_and_blocks(given)
    train, tune = table.take(blocks.train), table.take(blocks.tune)
    labels, users = tune.labels.astype(np.int8), table.user[blocks.tune]
    print(f"{len(train):,} rows fitted, {len(tune):,} rows of the tune block")
    found: dict[str, Logits] = {}
    for name, trainer in RECIPES[given.recipe](Compute(threads=given.threads)).items():
        begun = time.perf_counter()
        model = trainer.fit(train, tune, seed=given.seed)
        found[name] = model.predict(tune.features)
        seconds = time.perf_counter() - begun
        print(f"{name}: {seconds:.0f} s, kept {model.iterations()}", flush=True)

    def stacked(names: Sequence[str]) -> Logits:
        logits = np.column_stack([found[name] for name in names])
        return halved_stack(logits, tune.labels, users, seed=given.seed)

    full = PROFILES[Profile.FULL]
    base = stacked(full)
    low, high = interval(bootstrap_auc(labels, base, users, seed=given.seed))
    print(f"{'full':24s} {auc(labels, base):.4f} ({low:.4f} to {high:.4f})")
    rivals = {"light": stacked(PROFILES[Profile.LIGHT]), **found}
    rivals |= {f"full without {name}": stacked([n for n in full if n != name]) for name in full}
    for title, scores in rivals.items():
        paired = paired_auc_interval(labels, scores, base, users, seed=given.seed)
        print(
            f"{title:24s} {auc(labels, scores):.4f} "
            f"{paired.difference:+.4f} ({paired.low:+.4f} to {paired.high:+.4f})"
        )


if __name__ == "__main__":
    main()
