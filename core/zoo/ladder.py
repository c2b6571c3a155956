"""The leak ladder: one LightGBM on the honest features, and with each way to look ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.errors import NotEnoughDataError
from core.evaluation import PairedDifference, auc, bootstrap_auc, interval, paired_auc_interval
from core.examples import ExampleTable
from core.log import UNKNOWN_LABEL, EventLog
from core.models.base import Examples, Progress, Trainer, drawn
from core.schema import Branch, Schema
from core.state.columns import Columns, Family, FeatureBatch, NumberColumn
from core.training import Recipe, cut_blocks
from core.zoo.leaks import LEAKS, LeakedColumns
from core.zoo.report import ahead, figure, span

CAUSAL = "causal"


@dataclass(frozen=True)
class Rung:
    """One variant: which leaks it adds, and whether rows are split at random."""

    name: str
    title: str
    leaks: tuple[str, ...] = ()
    shuffled: bool = False


RUNGS = (
    Rung(CAUSAL, "causal"),
    Rung("entity_counts", "+ whole-log counts of entities", ("entity_counts",)),
    Rung("counts", "+ whole-log counts, pairs too", ("counts",)),
    Rung("svd", "+ SVD over the test pairs", ("svd",)),
    Rung("next", "+ next-event features", ("next",)),
    Rung("random", "causal, random split", shuffled=True),
    Rung("all", "all together", ("counts", "svd", "next"), shuffled=True),
)
"""From the honest one to what a careless benchmark reports."""


@dataclass(frozen=True)
class Split:
    """Rows (n,) of the fit that chooses, of tune, of the refit and of the test."""

    train: NDArray[np.bool_]
    tune: NDArray[np.bool_]
    everything: NDArray[np.bool_]
    test: NDArray[np.bool_]


@dataclass(frozen=True)
class RungFigures:
    """What one rung reached."""

    rung: Rung
    roc_auc: float
    low: float
    high: float
    over_causal: PairedDifference | None
    """Over the same test rows; None where the split is another."""
    columns: int
    """Added to the causal ones."""
    iterations: int


def chronological(table: ExampleTable, recipe: Recipe) -> Split:
    """The split of the ensemble, the stack's block left to the refit."""
    blocks = cut_blocks(table, recipe.test_start, recipe)
    test = (table.labels != UNKNOWN_LABEL) & (table.position >= recipe.test_start)
    return Split(blocks.train, blocks.tune, blocks.all, test)


def at_random(split: Split, seed: int) -> Split:
    """Blocks of the same sizes over the same rows, drawn without regard to time."""
    rows = np.flatnonzero(split.everything | split.test)
    rows = drawn(seed, "random split").permutation(rows)
    n_test, n_tune, n_train = (int(b.sum()) for b in (split.test, split.tune, split.train))

    def block(chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
        is_chosen = np.zeros(len(split.test), bool)
        is_chosen[chosen] = True
        return is_chosen

    rest = rows[n_test:]
    return Split(
        train=block(rest[n_tune : n_tune + n_train]),
        tune=block(rest[:n_tune]),
        everything=block(rest),
        test=block(rows[:n_test]),
    )


def climb(
    log: EventLog,
    schema: Schema,
    table: ExampleTable,
    recipe: Recipe,
    trainer: Trainer,
    *,
    seed: int,
    rungs: Sequence[Rung] = RUNGS,
    progress: Progress | None = None,
) -> list[RungFigures]:
    """Fit and score every rung; the first must be the causal one.

    Raises:
        NotEnoughDataError: blocks are too small, or the test rows show one label only.
    """
    honest = chronological(table, recipe)
    if len(np.unique(table.labels[honest.test])) < 2:
        raise NotEnoughDataError("the test block lacks labels of one kind: give a longer log")
    users = table.user[honest.test]
    causal: NDArray[np.float64] | None = None
    found = []
    for rung in rungs:
        named = None if progress is None else _named(progress, rung.title)
        leaked = [LEAKS[name](log, schema, table.row, seed) for name in rung.leaks]
        wide = with_columns(table, leaked)
        split = at_random(honest, seed) if rung.shuffled else honest
        scores, iterations = _fit_and_score(wide, split, trainer, seed, named)
        labels = table.labels[split.test]
        low, high = interval(bootstrap_auc(labels, scores, table.user[split.test], seed=seed))
        ahead_of = None
        if causal is not None and not rung.shuffled:
            ahead_of = paired_auc_interval(labels, scores, causal, users, seed=seed)
        if rung.name == CAUSAL:
            causal = scores
        n_added = len(wide.features.columns.numbers) - len(table.features.columns.numbers)
        found.append(
            RungFigures(rung, auc(labels, scores), low, high, ahead_of, n_added, iterations)
        )
    return found


def with_columns(table: ExampleTable, leaked: Sequence[LeakedColumns]) -> ExampleTable:
    """The table with more number columns."""
    if not leaked:
        return table
    added = tuple(
        NumberColumn(f"leak_{name}", Family.ACTIVITY, Branch.CONTEXT)
        for part in leaked
        for name in part.names
    )
    old = table.features
    features = FeatureBatch(
        Columns((*old.columns.numbers, *added), old.columns.codes),
        np.concatenate([old.numbers, *(part.numbers for part in leaked)], axis=1),
        old.codes,
    )
    return replace(table, features=features)


def _fit_and_score(
    table: ExampleTable,
    split: Split,
    trainer: Trainer,
    seed: int,
    progress: Callable[[str], Progress] | None,
) -> tuple[NDArray[np.float64], int]:
    """Probabilities (n_test,) after the choice on tune and the refit, and the rounds."""
    chosen = trainer.fit(
        table.take(split.train),
        table.take(split.tune),
        seed=seed,
        progress=None if progress is None else progress("choose"),
    )
    final = trainer.fit(
        table.take(split.everything),
        None,
        seed=seed,
        iterations=chosen.iterations(),
        progress=None if progress is None else progress("refit"),
    )
    test: Examples = table.take(split.test)
    return np.asarray(expit(final.predict(test.features)), np.float64), final.iterations()


def _named(progress: Progress, title: str) -> Callable[[str], Progress]:
    return lambda step: lambda _, done: progress(f"{title}: {step}", done)


def ladder_report(
    domain: str,
    found: Sequence[RungFigures],
    table: ExampleTable,
    recipe: Recipe,
    *,
    seed: int,
    notes: Sequence[str],
) -> dict[str, Any]:
    """The ladder as plain values; points are hundredths of AUC above the causal rung."""
    causal = next(f.roc_auc for f in found if f.rung.name == CAUSAL)
    split = chronological(table, recipe)
    return {
        "domain": domain,
        "seed": seed,
        "examples": len(table),
        "refit_rows": int(split.everything.sum()),
        "test_rows": int(split.test.sum()),
        "notes": [
            *notes,
            "The member's LightGBM in every rung: rounds chosen on tune, refitted, scored once.",
            "Points are hundredths of AUC above the causal rung; the paired 95 % interval over "
            "users stands where the test rows are the same.",
            "A random split draws blocks of the same sizes from the same rows: its test rows are "
            "others, and labels that were not known yet train it.",
            "Whole-log counts and the SVD count every event of the log, those after the scored "
            "one and of the test block included; the next event is the user's first after the "
            "scored moment.",
        ],
        "rungs": [
            {
                "name": f.rung.name,
                "title": f.rung.title,
                "roc_auc": f.roc_auc,
                "roc_auc_low": None if np.isnan(f.low) else f.low,
                "roc_auc_high": None if np.isnan(f.high) else f.high,
                "faked_points": 100.0 * (f.roc_auc - causal),
                "over_causal": None if f.over_causal is None else f.over_causal.to_json(),
                "added_columns": f.columns,
                "iterations": f.iterations,
            }
            for f in found
        ],
    }


def ladder_markdown(report: Mapping[str, Any]) -> str:
    """The report as a Markdown table with its notes."""
    lines = [
        "| LightGBM | ROC-AUC | 95 % over users | points faked | over causal, paired | columns |",
        "|---|---|---|---|---|---|",
    ]
    for rung in report["rungs"]:
        cells = [
            rung["title"],
            figure(rung["roc_auc"]),
            span(rung["roc_auc_low"], rung["roc_auc_high"]),
            f"{rung['faked_points']:+.1f}",
            ahead(rung["over_causal"]),
            f"+{rung['added_columns']}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    said = (
        f"{report['examples']:,} examples of {report['domain']}, seed {report['seed']}; "
        f"{report['refit_rows']:,} rows fitted, {report['test_rows']:,} test rows."
    )
    return "\n".join([*lines, "", f"- {said}", *(f"- {n}" for n in report["notes"])]) + "\n"
