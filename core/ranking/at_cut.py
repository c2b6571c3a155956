"""A pipeline as it would have been published at a cut of a log."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain import Domain
from core.errors import NotEnoughDataError
from core.examples import replay_observed
from core.lists.protocol import ListTask, history_log
from core.log import EventLog
from core.models import RECIPES, Compute
from core.models.base import Progress
from core.ranking.lists import ListCollector, ListTable
from core.ranking.recommender import Pipeline, fail
from core.ranking.settings import LISTS, ListSettings
from core.ranking.task import FittedRank, fit_rank_task
from core.recommend.contracts import Stages
from core.retrieval.index import Retrieval, fit_retrieval
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
    settings = LISTS[recipe.trainers]
    made = lists_at_cut(domain, task, recipe, settings, seed=seed, progress=progress)
    rank = fit_rank_task(
        made.lists, recipe, settings, RECIPES[recipe.trainers](compute),
        source_limit=domain.stages.source_limit, seed=seed, progress=progress,
    )  # fmt: skip
    return made.pipeline(rank)


@dataclass(frozen=True)
class ListsAtCut:
    """All that a rank task at a cut is fitted on, and what it will rank."""

    stages: Stages
    history: EventLog
    cut_s: float
    state: State
    """At the cut."""
    retrieval: Retrieval
    """Fitted at the cut."""
    lists: ListTable
    """Of moments before the cut."""

    def pipeline(self, rank: FittedRank) -> Pipeline:
        """With what has been fitted on the lists."""
        return Pipeline(
            self.stages, self.history, self.cut_s, self.state, self.state.columns, self.retrieval,
            rank,
        )  # fmt: skip


def lists_at_cut(
    domain: Domain,
    task: ListTask,
    recipe: Recipe,
    settings: ListSettings,
    *,
    seed: int,
    progress: Progress | None = None,
) -> ListsAtCut:
    """Replay a task's history and make lists on the way, as `pipeline_at_cut` does."""
    history = history_log(task)
    state = State(domain.schema, history.label_rule.horizon_s, domain.tie_rule)
    collector = ListCollector(
        history,
        domain.stages,
        settings,
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
    return ListsAtCut(domain.stages, history, task.cut_s, state, retrieval, lists)
