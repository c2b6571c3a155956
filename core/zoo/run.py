"""A whole run of the zoo: one replay, every model in turn, compared over the same users."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.domain import Domain
from core.ensemble import PROFILES, Profile
from core.errors import CapabilityMissingError
from core.evaluation import PairedDifference, paired_auc_interval
from core.examples import replay_examples
from core.log import EventLog
from core.models.base import Progress
from core.state.state import State
from core.training import cut_blocks
from core.zoo.child import Job, run_apart
from core.zoo.protocol import Measured, Plan, scored_rows
from core.zoo.registry import ENSEMBLE
from core.zoo.shelf import Shelf, fingerprint
from core.zoo.table_files import ZooTable
from core.zoo.trail import trail_codes

FULL = f"{ENSEMBLE}_{Profile.FULL.value}"
"""The row that all others are compared with."""
Fit = Callable[[Job, Progress | None], list[Measured]]


@dataclass(frozen=True)
class ZooRun:
    """What a run found.

    Attributes:
        rows: measured rows in the order of the registry.
        kept: names of the rows that an earlier run had left.
        differences: by row, the AUC of the ensemble's full profile less the row's.
        rival: the model that is best on tune, the ensemble left out; None where there is none.
        blocks: rows of each block.
        inner_by_user: see `core.log.LabelRule`.
        test_rows: scored rows.
        examples: all rows after the base period.
    """

    rows: list[Measured]
    kept: list[str]
    differences: dict[str, PairedDifference]
    rival: str | None
    blocks: dict[str, int]
    inner_by_user: bool
    test_rows: int
    examples: int


def replay_zoo(
    domain: Domain, log: EventLog, plan: Plan, progress: Progress | None = None
) -> ZooTable:
    """One replay, shared by all models."""
    state = State(domain.schema, log.label_rule.horizon_s, domain.tie_rule)
    table = replay_examples(
        log,
        state,
        base_share=plan.recipe.base_share,
        test_start=plan.recipe.test_start,
        seed=plan.seed,
        progress=progress,
    )
    codes, columns = trail_codes(log, table.row, plan.settings.trail)
    return ZooTable(table, codes, columns)


def run_zoo(
    domain: Domain,
    log: EventLog,
    plan: Plan,
    out: Path,
    names: Sequence[str],
    *,
    progress: Progress | None = None,
    fit: Fit = run_apart,
) -> ZooRun:
    """Measure the named rows; those that `out` holds under the same fingerprint are taken from it.

    Args:
        domain: of the log.
        log: to replay.
        plan: recipe, settings, compute and seed.
        out: directory; `models/` below it keeps every row as it is finished.
        names: of the registry, or ENSEMBLE.
        progress: of every step.
        fit: how a job is run; in a process of its own by default.

    Raises:
        NotEnoughDataError: the log is too short for honest blocks.
        CapabilityMissingError: a named model needs a library that is not there.
    """
    check_libraries(names)
    table = replay_zoo(domain, log, plan, progress)
    blocks = cut_blocks(table.examples, plan.recipe.test_start, plan.recipe)
    test = scored_rows(table, plan.recipe)
    shelf = Shelf(out / "models")
    digest = table.digest()
    rows: list[Measured] = []
    kept: list[str] = []
    with _written(table, out) as directory:
        for name in names:
            mark = fingerprint(name, digest, plan)
            known = [shelf.take(row, mark) for row in _rows_of(name)]
            found = [row for row in known if row is not None]
            if len(found) == len(known):
                kept += [row.name for row in found]
            else:
                columns = table.examples.features.columns
                found = fit(Job(name, plan, directory, columns, table.trail_columns), progress)
                for row in found:
                    shelf.put(row, mark)
            rows += found
    labels, users = table.examples.labels[test], table.examples.user[test]
    full = next((row.probabilities for row in rows if row.name == FULL), None)
    differences = {
        row.name: paired_auc_interval(labels, full, row.probabilities, users, seed=plan.seed)
        for row in rows
        if full is not None and row.name != FULL
    }
    return ZooRun(
        rows=rows,
        kept=kept,
        differences=differences,
        rival=rival_of(rows),
        blocks=blocks.sizes(),
        inner_by_user=table.examples.inner_by_user,
        test_rows=int(test.sum()),
        examples=len(table.examples),
    )


def rival_of(rows: Sequence[Measured]) -> str | None:
    """The row with the highest AUC on tune, the ensemble's left out."""
    alone = {
        row.name: row.tune_auc
        for row in rows
        if row.name not in _rows_of(ENSEMBLE) and row.tune_auc is not None
    }
    return max(alone, key=lambda name: alone[name]) if alone else None


def check_libraries(names: Sequence[str]) -> None:
    """CapabilityMissingError when a named model needs a library that is not installed."""
    if "xgboost" in names and importlib.util.find_spec("xgboost") is None:
        raise CapabilityMissingError(
            "XGBoost is not installed: install Encore with the extra `bench`, "
            "or name the other models with --only"
        )


def _rows_of(name: str) -> tuple[str, ...]:
    if name != ENSEMBLE:
        return (name,)
    return tuple(f"{ENSEMBLE}_{profile.value}" for profile in PROFILES)


@contextmanager
def _written(table: ZooTable, out: Path) -> Iterator[Path]:
    """The table as files while the models are fitted; what a killed run left is replaced."""
    directory = out / "table"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        table.write(directory)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
