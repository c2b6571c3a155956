"""What to learn lists by: ways to train trees on the same candidate lists, judged on later lists.

python -m benchmarks.list_rankers DOMAIN --data DIR --cut 292d [--lists 3200] [--users 800] [--json]

Lists are made as `encore evaluate DOMAIN --what lists` makes them, but at an *earlier* cut, within
the history of the one given: what follows that is never looked at, so it may be chosen by. All
rankers get the same lists, columns and number of trees:

- binary: log-loss of each candidate;
- lambdarank: LambdaMART (Burges 2010), what the rank task does;
- lambdarank, half, a quarter of the lists: whether more lists would help;
- xendcg: a listwise objective of LightGBM (Bruch 2021);
- CatBoost, YetiRank (Gulin et al. 2011) and QueryRMSE, symmetric trees.

Shown: NDCG@10 of the next visit and of the horizon, of all and of new objects, with the 95 %
bootstrap interval over users of the paired difference to `binary`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import catboost
import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks import past_lists
from benchmarks.past_lists import MODES
from core.lists.protocol import Mode
from core.models import Compute, TreeSettings
from core.models.tree_inputs import TreeColumns
from core.ranking.recommender import Pipeline

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Score = Callable[[Matrix], Floats]

ROUNDS = 200


@dataclass(frozen=True)
class Rows:
    """Candidates of past lists."""

    matrix: Matrix
    labels: NDArray[np.int8]
    lists: NDArray[np.intp]
    """(n,) rising."""

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Rows of each list."""
        return np.unique(self.lists, return_counts=True)[1]

    def part(self, share: float, seed: int) -> Rows:
        """A share of the lists, drawn at random."""
        chosen = np.random.default_rng(seed).random(self.lists[-1] + 1) < share
        kept = chosen[self.lists]
        return Rows(self.matrix[kept], self.labels[kept], self.lists[kept])


Fit = Callable[[Rows, int, int], Score]
"""Of rows, a seed and threads."""


def lightgbm_fit(objective: str, rows: Rows, seed: int, threads: int) -> Score:
    """Trees of the standard shape."""
    settings = TreeSettings().for_lists()
    if objective == "binary":
        settings = replace(settings, orders_lists=False)
    parameters = settings.parameters(
        len(rows.labels), seed, Compute(threads=threads), n_lists=len(rows.sizes)
    )
    parameters["objective"] = objective
    grouped = None if objective == "binary" else rows.sizes
    data = lightgbm.Dataset(rows.matrix, rows.labels, group=grouped, params=parameters)
    booster = lightgbm.train(parameters, data, ROUNDS)
    return lambda matrix: np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))


def of_part(fit: Fit, share: float, rows: Rows, seed: int, threads: int) -> Score:
    """Fitted on a share of the lists."""
    return fit(rows.part(share, seed), seed, threads)


def catboost_fit(loss: str, rows: Rows, seed: int, threads: int) -> Score:
    """Symmetric trees of a like size."""
    model = catboost.CatBoost(
        {
            "loss_function": loss,
            "iterations": 2 * ROUNDS,
            "depth": 6,
            "learning_rate": 0.08,
            "random_seed": seed,
            "thread_count": threads,
            "verbose": False,
            "allow_writing_files": False,
        }
    )
    model.fit(catboost.Pool(rows.matrix, rows.labels, group_id=rows.lists))
    return lambda matrix: np.asarray(model.predict(matrix, thread_count=1))


LAMBDARANK = partial(lightgbm_fit, "lambdarank")
RANKERS: dict[str, Fit] = {
    "binary": partial(lightgbm_fit, "binary"),
    "lambdarank": LAMBDARANK,
    "lambdarank, half of the lists": partial(of_part, LAMBDARANK, 0.5),
    "lambdarank, a quarter of them": partial(of_part, LAMBDARANK, 0.25),
    "xendcg": partial(lightgbm_fit, "rank_xendcg"),
    "CatBoost, YetiRank": partial(catboost_fit, "YetiRank"),
    "CatBoost, QueryRMSE": partial(catboost_fit, "QueryRMSE"),
}


@dataclass(frozen=True)
class Asked:
    """The candidates of one user of the judged lists."""

    objects: NDArray[np.int32]
    """Indices of the log."""
    matrix: Matrix


def main(arguments: Sequence[str] | None = None) -> None:
    """Make lists, fit every ranker, print the table."""
    parser = past_lists.parser(__doc__)
    parser.add_argument("--lists", type=int, default=3200)
    options = parser.parse_args(arguments)
    made, task = past_lists.read(options, lists=options.lists)
    layout = TreeColumns(made.lists.examples.features.columns, [])
    rows = Rows(
        layout.matrix(made.lists.examples.features, np.float32),
        made.lists.examples.labels,
        np.asarray(made.lists.examples.lists),
    )
    print(f"{made.lists.n_lists} lists, {len(rows.labels)} rows, {rows.matrix.shape[1]} columns")
    judged = past_lists.drawn(task, options.users, options.seed)
    # What ranks is what is compared here: none of the pipeline's own.
    pipeline = past_lists.unranked(made)
    asked = {mode: _asked(pipeline, layout, task.users[judged], mode) for mode in MODES}
    found: dict[str, past_lists.Figures] = {}
    seconds = {}
    for name, fit in RANKERS.items():
        begun = time.perf_counter()
        score = fit(rows, options.seed, options.threads)
        seconds[name] = time.perf_counter() - begun
        lists = {
            mode: [past_lists.best(one.objects, score(one.matrix)) for one in users]
            for mode, users in asked.items()
        }
        found[name] = past_lists.ndcg(task, judged, lists)
        past_lists.show(f"{name:30s} {seconds[name]:5.0f} s", name, found, options.seed)
    if options.json:
        print(json.dumps({"ndcg": past_lists.means(found), "fit_s": seconds}, indent=1))


def _asked(
    pipeline: Pipeline, layout: TreeColumns, users: NDArray[np.int64], mode: Mode
) -> list[Asked]:
    return [
        Asked(pipeline.of_log[candidates.objects], layout.matrix(batch, np.float32))
        for _, candidates, batch in pipeline.unscored(users, mode)
    ]


if __name__ == "__main__":
    main()
