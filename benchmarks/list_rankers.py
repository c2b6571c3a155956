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

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import catboost
import lightgbm
import numpy as np
from numpy.typing import NDArray

from core.domain import Domain
from core.ensemble import Ensemble
from core.lists.metrics import accuracy, hits_of, mean_of, paired_means
from core.lists.protocol import ListTask, Mode, TargetKind, cut_lists, cut_of, earlier_task
from core.models import Compute, TreeSettings
from core.models.tree_inputs import TreeColumns
from core.ranking.at_cut import ListsAtCut, lists_at_cut
from core.ranking.quotas import learn_quotas
from core.ranking.recommender import Pipeline
from core.ranking.settings import LISTS
from core.ranking.task import KINDS, FittedRank, RankTask
from core.readers import read_log
from domains import domain_named

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Score = Callable[[Matrix], Floats]

DEPTH = 10
ROUNDS = 200
MODES = (Mode.ALL, Mode.EXPLORE)


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
    options = _parser().parse_args(arguments)
    domain = domain_named(options.domain)
    log = read_log(domain.readers, options.data, options.format)
    task = earlier_task(cut_lists(log, cut_of(log, options.cut)))
    made = _lists(domain, task, options.lists, options.seed)
    layout = TreeColumns(made.lists.examples.features.columns, [])
    rows = Rows(
        layout.matrix(made.lists.examples.features, np.float32),
        made.lists.examples.labels,
        np.asarray(made.lists.examples.lists),
    )
    print(f"{made.lists.n_lists} lists, {len(rows.labels)} rows, {rows.matrix.shape[1]} columns")
    judged = _drawn(task, options.users, options.seed)
    asked = {mode: _asked(made, layout, task.users[judged], mode) for mode in MODES}
    found: dict[str, dict[str, Floats]] = {}
    seconds = {}
    for name, fit in RANKERS.items():
        begun = time.perf_counter()
        score = fit(rows, options.seed, options.threads)
        seconds[name] = time.perf_counter() - begun
        found[name] = _ndcg(task, judged, asked, score)
        _show(name, found, seconds[name], options.seed)
    if options.json:
        means = {
            name: {title: mean_of(values) for title, values in of.items()}
            for name, of in found.items()
        }
        print(json.dumps({"ndcg": means, "fit_s": seconds}, indent=1))


def _lists(domain: Domain, task: ListTask, lists: int, seed: int) -> ListsAtCut:
    settings = replace(LISTS[domain.recipe.trainers], lists=lists)
    return lists_at_cut(domain, task, domain.recipe, settings, seed=seed)


def _drawn(task: ListTask, users: int, seed: int) -> NDArray[np.int64]:
    n = len(task.users)
    generator = np.random.default_rng(seed)
    return np.sort(generator.choice(n, min(users, n), replace=False)).astype(np.int64)


def unranked(made: ListsAtCut) -> Pipeline:
    """A pipeline with learned quotas that ranks nothing."""
    budget, limit = LISTS["standard"].proposals, made.stages.source_limit
    quotas = {
        novelty: learn_quotas(found, budget=budget, limit=limit)
        for novelty, found in made.lists.found.items()
    }
    nothing = FittedRank(
        RankTask(dict.fromkeys(KINDS, Ensemble({}, {})), quotas), {}, {}, made.lists.n_lists, {}
    )
    return made.pipeline(nothing)


def _asked(
    made: ListsAtCut, layout: TreeColumns, users: NDArray[np.int64], mode: Mode
) -> list[Asked]:
    # What ranks is what is compared here: none of the pipeline's own.
    pipeline = unranked(made)
    return [
        Asked(pipeline.of_log[candidates.objects], layout.matrix(batch, np.float32))
        for _, candidates, batch in pipeline.unscored(users, mode)
    ]


def _ndcg(
    task: ListTask,
    judged: NDArray[np.int64],
    asked: dict[Mode, list[Asked]],
    score: Score,
) -> dict[str, Floats]:
    """Kind of target and mode -> (users,) NDCG at DEPTH."""
    values = {}
    for mode, users in asked.items():
        lists = np.full((len(users), DEPTH), -1, np.int32)
        for row, one in enumerate(users):
            best = one.objects[np.lexsort((one.objects, -score(one.matrix)))][:DEPTH]
            lists[row, : len(best)] = best
        for kind in TargetKind:
            targets = task.targets[kind].within(mode).at(judged)
            figures = accuracy(hits_of(lists, targets), targets.sizes, DEPTH)
            values[f"{kind.value}, {mode.value}"] = figures["ndcg"]
    return values


def _show(name: str, found: dict[str, dict[str, Floats]], seconds: float, seed: int) -> None:
    cells = [f"{name:30s} {seconds:5.0f} s"]
    for title, values in found[name].items():
        first = found[next(iter(found))][title]
        change = paired_means(values, first, seed=seed)
        low, high = change.difference_low, change.difference_high
        cells.append(f"{title} {mean_of(values):.4f} ({low:+.4f} to {high:+.4f})")
    print(" | ".join(cells), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("domain")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--format")
    parser.add_argument("--cut", required=True)
    parser.add_argument("--lists", type=int, default=3200)
    parser.add_argument("--users", type=int, default=800)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    main()
