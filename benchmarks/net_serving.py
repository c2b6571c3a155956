"""Milliseconds that members take for one user's candidates, and what split work saves the nets.

`python -m benchmarks.net_serving`: one thread, warm object cache, medians, alternating calls.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import torch

from benchmarks.member_columns import wide_columns, wide_examples
from core.models import RECIPES, Compute, Model, NetTrainer
from core.state.columns import FeatureBatch
from core.testing import request_batch


def timed_ms(model: Model, batch: FeatureBatch) -> float:
    start = time.perf_counter()
    model.predict(batch)
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="standard")
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = wide_columns()
    train = wide_examples(columns, 20_000, seed=1)
    for name, trainer in RECIPES[arguments.recipe](Compute(threads=1)).items():
        rounds = 1 if isinstance(trainer, NetTrainer) else arguments.trees
        model = trainer.fit(train, None, seed=0, iterations=rounds)
        for n_candidates in arguments.candidates:
            split = request_batch(columns, n_candidates, seed=0)
            plain = replace(split, object_keys=None, one_user=False)
            times = [
                (timed_ms(model, split), timed_ms(model, plain)) for _ in range(arguments.repeats)
            ]
            split_ms, plain_ms = (statistics.median(column) for column in zip(*times, strict=True))
            print(
                f"{name}: {n_candidates} candidates, split {split_ms:.2f} ms, "
                f"plain {plain_ms:.2f} ms, ratio {split_ms / plain_ms:.2f}"
            )


if __name__ == "__main__":
    main()
