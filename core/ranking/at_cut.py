"""A pipeline as it would have been published at a cut of a log."""

from __future__ import annotations

from core.domain import Domain
from core.errors import NotEnoughDataError
from core.examples import replay_observed
from core.lists.protocol import ListTask, history_log
from core.models import RECIPES, Compute
from core.models.base import Progress
from core.ranking.lists import ListCollector
from core.ranking.recommender import Pipeline, fail
from core.ranking.settings import LISTS
from core.ranking.task import fit_rank_task
from core.retrieval.index import fit_retrieval
from core.state.state import State
from core.training import Recipe


def pipeline_at_cut(
    domain: Domain,
    task: ListTask,
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Pipeline:
    """Replay a task's history, make lists on the way, fit the rank task on those that matured.

    Raises:
        NotEnoughDataError: the history is too short for lists of the past.
    """
    history = history_log(task)
    state = State(domain.schema, history.label_rule.horizon_s, domain.tie_rule)
    collector = ListCollector(
        history,
        domain.stages,
        LISTS[recipe.trainers],
        horizon_s=recipe.horizon_of_lists_s(history),
        seed=seed,
        report=fail,
    )
    replay_observed(
        history, state, collector, base_share=recipe.base_share, seed=seed, progress=progress
    )
    state.advance(task.cut_s)
    retrieval = fit_retrieval(state, seed, progress)
    lists = collector.table()
    if lists is None:
        raise NotEnoughDataError(
            "no list made before the cut has matured: choose a later cut or give a longer log"
        )
    rank = fit_rank_task(
        lists, recipe, LISTS[recipe.trainers], RECIPES[recipe.trainers](compute),
        source_limit=domain.stages.source_limit, seed=seed, progress=progress,
    )  # fmt: skip
    return Pipeline(domain.stages, history, task.cut_s, state, state.columns, retrieval, rank)
