"""`encore evaluate --what lists`: lists of the pipeline and of tuned baselines, judged alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.domain import Domain
from core.lists.baselines import BASELINES, tune_baselines
from core.lists.judging import judge
from core.lists.list_figures import catalogue_of
from core.lists.protocol import ListRecommender, ListTask, cut_lists, cut_of
from core.lists.report import list_markdown, list_report
from core.readers import read_log
from server.cli.output import Report, print_json, progress_bars, stdout


def evaluate_lists(
    domain: Domain,
    data: Path,
    log_format: str | None,
    *,
    cut: str,
    baselines_only: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Cut the log, let everyone make lists from what precedes the cut, and judge them."""
    with progress_bars() as report:
        report("read the log", 0.0)
        log = read_log(domain.readers, data, log_format)
        report("read the log", 1.0)
        task = cut_lists(log, cut_of(log, cut))
        tuned = tune_baselines(task, BASELINES, seed=seed, progress=report)
        recommenders: list[ListRecommender] = [baseline.lists for baseline in tuned]
        if not baselines_only:
            recommenders += pipelines(domain, task, seed=seed, report=report)
        catalogue = catalogue_of(task, domain.schema.main_facet)
        judgement = judge(task, recommenders, catalogue, progress=report)
        found = list_report(domain.name, judgement, tuned, seed=seed)
    if as_json:
        print_json(found)
    else:
        # Plain, so that tables can be pasted: a terminal's width would break their lines.
        stdout.print(list_markdown(found), markup=False, highlight=False, soft_wrap=True)


def pipelines(
    domain: Domain,  # noqa: ARG001 - what is fitted on the task's history needs all of these
    task: ListTask,  # noqa: ARG001
    *,
    seed: int,  # noqa: ARG001
    report: Report,  # noqa: ARG001
) -> Sequence[ListRecommender]:
    """What is judged beside the baselines, fitted on the task's history alone."""
    return ()
