"""Lists of an *earlier* cut, to choose by: what the benchmarks of lists share.

Lists are made as `encore evaluate DOMAIN --what lists` makes them, but at a cut within the history
of the one given: what follows that is never looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.ensemble import Ensemble
from core.lists.metrics import accuracy, hits_of, mean_of, paired_means
from core.lists.protocol import ListTask, Mode, TargetKind, cut_lists, cut_of, earlier_task
from core.ranking.at_cut import ListsAtCut, lists_at_cut
from core.ranking.quotas import learn_quotas
from core.ranking.recommender import Pipeline
from core.ranking.settings import LISTS
from core.ranking.task import KINDS, FittedRank, RankTask
from core.readers import read_log
from domains import domain_named

DEPTH = 10
MODES = (Mode.ALL, Mode.EXPLORE)

Figures = dict[str, NDArray[np.float64]]
"""Kind of target and mode -> (users,) NDCG at DEPTH."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """What all these benchmarks can be told."""
    made = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    made.add_argument("domain")
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--format")
    made.add_argument("--cut", required=True)
    made.add_argument("--users", type=int, default=800)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--json", action="store_true")
    return made


def read(
    options: argparse.Namespace, *, lists: int | None = None, recipe: str | None = None
) -> tuple[ListsAtCut, ListTask]:
    """The log replayed up to the earlier cut, with the lists that had matured by then.

    Args:
        options: of `parser`.
        lists: how many; None for as many as the recipe makes.
        recipe: whose settings of lists; None for the domain's.
    """
    domain = domain_named(options.domain)
    log = read_log(domain.readers, options.data, options.format)
    task = earlier_task(cut_lists(log, cut_of(log, options.cut)))
    settings = LISTS[recipe or domain.recipe.trainers]
    if lists is not None:
        settings = replace(settings, lists=lists)
    return lists_at_cut(domain, task, domain.recipe, settings, seed=options.seed), task


def drawn(task: ListTask, users: int, seed: int) -> NDArray[np.int64]:
    """Places of at most so many of the task's users, rising."""
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
    task = RankTask(dict.fromkeys(KINDS, Ensemble({}, {})), quotas)
    return made.pipeline(FittedRank(task, {}, {}, made.lists.n_lists, {}))


def best(objects: NDArray[np.int32], scores: NDArray[np.float64]) -> NDArray[np.int32]:
    """The DEPTH objects of the highest scores, best first."""
    return objects[np.lexsort((objects, -scores))][:DEPTH]


def ndcg(
    task: ListTask,
    judged: NDArray[np.int64],
    lists: Mapping[Mode, Sequence[NDArray[np.int32]]],
) -> Figures:
    """Of the lists of the judged users, by mode, against what they took."""
    values = {}
    for mode, of_users in lists.items():
        padded = np.full((len(of_users), DEPTH), -1, np.int32)
        for row, found in enumerate(of_users):
            padded[row, : len(found)] = found
        for kind in TargetKind:
            targets = task.targets[kind].within(mode).at(judged)
            figures = accuracy(hits_of(padded, targets), targets.sizes, DEPTH)
            values[f"{kind.value}, {mode.value}"] = figures["ndcg"]
    return values


def show(title: str, name: str, found: Mapping[str, Figures], seed: int) -> None:
    """One line: means, and the 95 % interval of the paired difference to what was found first."""
    cells = [title]
    for target, values in found[name].items():
        first = found[next(iter(found))][target]
        change = paired_means(values, first, seed=seed)
        low, high = change.difference_low, change.difference_high
        cells.append(f"{target} {mean_of(values):.4f} ({low:+.4f} to {high:+.4f})")
    print(" | ".join(cells), flush=True)


def means(found: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """Plain values for JSON."""
    return {name: {t: mean_of(values) for t, values in of.items()} for name, of in found.items()}
