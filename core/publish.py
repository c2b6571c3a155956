"""From a log to a published bundle: replay, evaluate as of the test block, refit as of the end."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as distribution_version
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from core.bundle import write_bundle
from core.content import ContentVectors
from core.domain import Domain, StoredGenre
from core.engine import GENRE, RANK, RETRIEVAL, SCORE, STATE
from core.ensemble import Ensemble
from core.errors import NotEnoughDataError
from core.examples import ExampleTable, replay_examples
from core.log import ClockKind, EventLog
from core.models import RECIPES, Compute
from core.models.base import Progress
from core.ranking.lists import ListCollector, ListTable
from core.ranking.settings import LISTS
from core.ranking.task import FittedRank, fit_rank_task
from core.retrieval.index import fit_retrieval
from core.scratch import Scratch
from core.state.state import State
from core.training import Evaluation, Fitted, Recipe, evaluate, fit_as_of

LIBRARIES = ("numpy", "numba", "lightgbm", "torch", "scikit-learn", "catboost", "librosa")
"""Whose versions a manifest names."""


@dataclass(frozen=True)
class Evaluated:
    """A log replayed and measured."""

    state: State
    """At the end of the log."""
    table: ExampleTable
    fitted: Fitted
    """As of the begin of the test block."""
    evaluation: Evaluation
    lists: ListTable | None = None
    """Candidate lists of the past, where they were asked for and the log is long enough."""


def evaluate_log(
    domain: Domain,
    log: EventLog,
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    progress: Progress | None = None,
    scratch: Scratch | None = None,
    content: ContentVectors | None = None,
    with_lists: bool = False,
) -> Evaluated:
    """Replay, fit as of the begin of the test block, score the block once.

    `with_lists` has candidate lists made on the way, which `publish` fits the rank task on.

    Features that are too large for memory go to `scratch`, where one is given. Content vectors,
    where there are any, become features; `publish` puts them into the bundle with the state.
    """
    schema = domain.schema.with_content(None if content is None else content.space)
    state = State(schema, log.label_rule.horizon_s, domain.tie_rule)
    collector = list_collector(domain, log, recipe, seed=seed) if with_lists else None
    table = replay_examples(
        log,
        state,
        base_share=recipe.base_share,
        test_start=recipe.test_start,
        seed=seed,
        progress=progress,
        scratch=scratch,
        content=content,
        observer=collector,
    )
    trainers = RECIPES[recipe.trainers](compute)
    fitted = fit_as_of(table, recipe.test_start, recipe, trainers, seed=seed, progress=progress)
    return Evaluated(
        state,
        table,
        fitted,
        evaluate(log, table, fitted.ensemble, recipe, seed=seed),
        None if collector is None else collector.table(),
    )


def list_collector(domain: Domain, log: EventLog, recipe: Recipe, *, seed: int) -> ListCollector:
    """Makes the lists of a training run; a source that fails there fails the run."""

    def raise_it(source: str, error: Exception) -> None:
        raise RuntimeError(f"source {source} failed on the log: {error}") from error

    return ListCollector(
        log,
        domain.stages,
        LISTS[recipe.trainers],
        horizon_s=recipe.horizon_of_lists_s(log),
        seed=seed,
        report=raise_it,
    )


def rank_task(
    domain: Domain,
    lists: ListTable | None,
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    progress: Progress | None = None,
) -> FittedRank | str:
    """The rank task of a log's lists, or why there is none: then Score's members rank."""
    if lists is None:
        return "no list of the past has matured: give a longer log"
    try:
        return fit_rank_task(
            lists, recipe, LISTS[recipe.trainers], RECIPES[recipe.trainers](compute),
            source_limit=domain.stages.source_limit, seed=seed, progress=progress,
        )  # fmt: skip
    except NotEnoughDataError as error:
        return str(error)


def publish(
    domain: Domain,
    log: EventLog,
    evaluated: Evaluated,
    recipe: Recipe,
    compute: Compute,
    *,
    root: Path,
    version: str,
    published_at_s: float,
    commit: str,
    seed: int,
    genre: StoredGenre | None = None,
    progress: Progress | None = None,
) -> Path:
    """Refit the measured recipe on everything known at the end of the log and write the bundle.

    A log without a real clock goes on where it ends: its last event counts as of `published_at_s`.

    Args:
        root: directory of all bundles.
        version: name of this one; later versions must sort later.
        published_at_s: now, in epoch seconds.
        commit: git commit of the code, or empty.
        genre: of the domain; built from its own audio when absent and the domain has any.

    Returns:
        The bundle's directory.
    """
    trainers = RECIPES[recipe.trainers](compute)
    report = progress or (lambda *_: None)
    final = fit_as_of(
        evaluated.table,
        1.0,
        recipe,
        trainers,
        seed=seed,
        iterations=evaluated.fitted.iterations,
        progress=_of_publication(progress),
    )
    retrieval = fit_retrieval(evaluated.state, seed, progress)
    parts = {
        STATE: evaluated.state.save,
        SCORE: final.ensemble.save,
        RETRIEVAL: retrieval.save,
    }
    rank = rank_task(
        domain, evaluated.lists, recipe, compute, seed=seed, progress=_of_publication(progress)
    )
    if isinstance(rank, FittedRank):
        parts[RANK] = rank.task.save
    if genre is None and domain.genre is not None:
        genre = domain.genre.build(
            sounds=None, seed=seed, progress=lambda done: report("genre model", done)
        )
    if genre is not None:
        parts[GENRE] = genre.save
    codes = evaluated.table.features.columns.codes
    return write_bundle(
        root,
        domain=domain.name,
        version=version,
        schema=evaluated.state.schema,
        cardinalities={column.vocabulary: column.cardinality for column in codes},
        watermark=0,
        clock_offset_s=clock_offset(log, published_at_s),
        content={
            **report_of(domain, log, evaluated, recipe, seed=seed),
            "published": {
                "blocks": final.blocks.sizes(),
                "iterations": dict(final.iterations),
                "stacks": _stacks(final.ensemble),
            },
            "rank": {"none": rank} if isinstance(rank, str) else rank.to_json(),
            "commit": commit,
            "libraries": {name: distribution_version(name) for name in LIBRARIES},
            "python": sys.version.split()[0],
        },
        parts=parts,
    )


def clock_offset(log: EventLog, published_at_s: float) -> float:
    """What to add to the log's clock to have the server's, in whole seconds."""
    return 0.0 if log.clock is ClockKind.REAL else float(round(published_at_s - log.time_s[-1]))


def report_of(
    domain: Domain, log: EventLog, evaluated: Evaluated, recipe: Recipe, *, seed: int
) -> dict[str, Any]:
    """What was measured on what, as plain values: the manifest and `encore evaluate` share it."""
    evaluation = evaluated.evaluation
    return {
        "data": {
            "events": len(log),
            "users": len(set(log.user_index.tolist())),
            "objects": len(set(log.object_index.tolist())),
            "first_time_s": float(log.time_s[0]),
            "last_time_s": float(log.time_s[-1]),
            "clock": log.clock.value,
            "examples": len(evaluated.table),
            "notes": list(log.notes),
            **_content_report(evaluated.state),
        },
        "seed": seed,
        "recipe": asdict(recipe),
        "evaluation": {
            "says": (
                "scored once on the latest examples by members that knew only labels matured "
                "before them; the published members repeat the recipe on everything up to now"
            ),
            "test_rows": len(evaluation.rows),
            "blocks": evaluated.fitted.blocks.sizes(),
            "inner_by_user": log.label_rule.inner_by_user,
            "iterations": dict(evaluated.fitted.iterations),
            "stacks": _stacks(evaluated.fitted.ensemble),
            "ensembles": {p.value: f.to_json() for p, f in evaluation.ensembles.items()},
            "context_masked": {p.value: f.to_json() for p, f in evaluation.masked.items()},
            "member_roc_auc": {
                name: None if isnan(value) else value for name, value in evaluation.members.items()
            },
        },
        "domain": domain.name,
    }


def _content_report(state: State) -> Mapping[str, Any]:
    """How many objects have a vector of which space; nothing where there is none."""
    if state.schema.content is None:
        return {}
    objects = int(np.count_nonzero(state.arrays.content.shown))
    return {"content": {**asdict(state.schema.content), "objects": objects}}


def _of_publication(progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda what, done: progress(f"publish, {what}", done)


def _stacks(ensemble: Ensemble) -> Mapping[str, Any]:
    return {profile.value: stack.to_json() for profile, stack in ensemble.stacks.items()}


def write_predictions(path: Path, log: EventLog, evaluation: Evaluation) -> None:
    """Write `row_id,probability` for every row of the test block; the whole file or none."""
    lines = ["row_id,probability"]
    lines += [
        f"{row_id},{probability!r}"
        for row_id, probability in zip(
            log.row_id[evaluation.rows].tolist(), evaluation.probabilities.tolist(), strict=True
        )
    ]
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(path)
