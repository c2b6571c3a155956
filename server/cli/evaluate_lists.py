"""`encore evaluate --what lists`: lists of the pipeline and of tuned baselines, judged alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from core.domain import Domain
from core.ensemble import Profile
from core.lists.baselines import BASELINES, tune_baselines
from core.lists.judging import CANDIDATE_DEPTHS, judge
from core.lists.list_figures import catalogue_of
from core.lists.protocol import ListRecommender, ListTask, Mode, cut_lists, cut_of
from core.lists.report import list_markdown, list_report, source_markdown
from core.lists.sources import SourceRecall, source_recalls
from core.models import Compute
from core.ranking.at_cut import pipeline_at_cut
from core.ranking.recommender import Pipeline, PipelineLists, ScoredLists
from core.readers import read_log
from core.requests import Novelty
from core.training import Recipe
from server.cli.output import Report, print_json, progress_bars, stdout

PIPELINE = "encore"
CHANGES: Mapping[str, Mapping[str, float | int]] = {
    "the domain's cap": {},
    "cap 1": {"max_per_facet": 1},
    "diversity 0.3": {"max_per_facet": 0, "diversity": 0.3},
    "freshness 0.3": {"max_per_facet": 0, "freshness": 0.3},
    "exploration 0.1": {"max_per_facet": 0, "exploration": 0.1},
}
"""What a request may ask of the rerankers: each is judged for what it costs and gains."""


def evaluate_lists(
    domain: Domain,
    data: Path,
    log_format: str | None,
    *,
    cut: str,
    baselines_only: bool,
    recipe: Recipe,
    compute: Compute,
    seed: int,
    as_json: bool,
) -> None:
    """Cut the log, let everyone make lists from what precedes the cut, and judge them."""
    sources: dict[str, list[SourceRecall]] = {}
    with progress_bars() as report:
        report("read the log", 0.0)
        log = read_log(domain.readers, data, log_format)
        report("read the log", 1.0)
        task = cut_lists(log, cut_of(log, cut))
        tuned = tune_baselines(task, BASELINES, seed=seed, progress=report)
        recommenders: list[ListRecommender] = [baseline.lists for baseline in tuned]
        pipeline = None
        if not baselines_only:
            pipeline = pipeline_at_cut(domain, task, recipe, compute, seed=seed, progress=report)
            recommenders += ways_to_rank(pipeline, report)
            sources = recalls(pipeline, task, report)
        catalogue = catalogue_of(task, domain.schema.main_facet)
        judgement = judge(task, recommenders, catalogue, progress=report)
        found = list_report(domain.name, judgement, tuned, seed=seed)
    if pipeline is not None:
        found["rank_task"] = pipeline.rank.to_json()
        found["sources"] = {title: [asdict(r) for r in table] for title, table in sources.items()}
    if as_json:
        print_json(found)
        return
    # Plain, so that tables can be pasted: a terminal's width would break their lines.
    parts = [list_markdown(found)]
    parts += [
        f"## What the sources find: {title}\n\n{source_markdown(table)}"
        for title, table in sources.items()
    ]
    stdout.print("\n\n".join(parts), markup=False, highlight=False, soft_wrap=True)


def ways_to_rank(pipeline: Pipeline, report: Report) -> Sequence[PipelineLists]:
    """The order of the rank task itself, then with one change at a time."""
    scored = ScoredLists(pipeline, report)
    lists = [PipelineLists(PIPELINE, scored)]
    if Profile.LIGHT in pipeline.rank.task.ensembles[Novelty.ANY].stacks:
        lists.append(PipelineLists(f"{PIPELINE}, light", scored, profile=Profile.LIGHT))
    rerankers = pipeline.stages.rerankers
    lists += [
        PipelineLists(f"{PIPELINE}, {change}", scored, rerankers, wishes)
        for change, wishes in CHANGES.items()
    ]
    return lists


def recalls(pipeline: Pipeline, task: ListTask, report: Report) -> dict[str, list[SourceRecall]]:
    """Title -> recall of each source and what it adds, of all targets and of new objects."""
    found: dict[str, list[SourceRecall]] = {}
    for number, mode in enumerate((Mode.ALL, Mode.EXPLORE)):
        report("ask the sources", number / 2)
        proposals = pipeline.proposals(task.users, max(CANDIDATE_DEPTHS), mode)
        found |= {
            f"{kind.value}, {mode.value}": source_recalls(proposals, targets.within(mode))
            for kind, targets in task.targets.items()
        }
    report("ask the sources", 1.0)
    return found
