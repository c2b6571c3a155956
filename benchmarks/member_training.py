"""Seconds that the members take to train: `python -m benchmarks.member_training --recipe quick`."""

from __future__ import annotations

import argparse
import time

from sklearn.metrics import roc_auc_score

from benchmarks.member_columns import wide_columns, wide_examples
from core.models import RECIPES, TRAINERS, Compute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="standard")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--members", nargs="*", default=[*TRAINERS])
    parser.add_argument("--iterations", type=int, help="run exactly so many, without a tune block")
    arguments = parser.parse_args()
    columns = wide_columns()
    train = wide_examples(columns, arguments.rows, seed=1)
    tune = None if arguments.iterations else wide_examples(columns, arguments.rows // 8, seed=2)
    test = wide_examples(columns, 20_000, seed=3)
    trainers = RECIPES[arguments.recipe](Compute(threads=arguments.threads))
    for name in arguments.members:
        last = ""

        def remember(what: str, _fraction: float) -> None:
            nonlocal last
            last = last if what.endswith("done") else what

        start, busy = time.perf_counter(), time.process_time()
        model = trainers[name].fit(
            train, tune, seed=0, iterations=arguments.iterations, progress=remember
        )
        elapsed, busy = time.perf_counter() - start, time.process_time() - busy
        area = roc_auc_score(test.labels, model.predict(test.features))
        print(
            f"{name}: {elapsed:.1f} s (CPU {busy:.1f} s), kept {model.iterations()} ({last}), "
            f"AUC {area:.4f}"
        )


if __name__ == "__main__":
    main()
