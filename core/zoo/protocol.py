"""The protocol of the zoo: choose on tune, refit as of the test block, score the block once."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.errors import NotEnoughDataError
from core.evaluation import auc
from core.log import UNKNOWN_LABEL
from core.models import RECIPES, Compute
from core.models.base import Examples, Progress, Trainers
from core.training import Recipe, cut_blocks
from core.zoo.contract import Entry
from core.zoo.figures import Figures, zoo_figures
from core.zoo.registry import zoo_entries
from core.zoo.settings import ZooSettings
from core.zoo.table_files import ZooTable

TIMED_ROWS = 100
TIMED_RUNS = 15
TIMED_S = 2.0
"""A latency is the median of at most TIMED_RUNS runs that end within TIMED_S seconds."""


@dataclass(frozen=True)
class Plan:
    """How every model of one run is fitted; plain values, so that it goes to other processes."""

    recipe: Recipe
    settings: ZooSettings
    compute: Compute
    seed: int

    def trainers(self) -> Trainers:
        """Of the ensemble's members."""
        return RECIPES[self.recipe.trainers](self.compute)


@dataclass(frozen=True)
class Measured:
    """One row of the table.

    Attributes:
        figures: on the test rows whose labels are known.
        tune_auc: of the fit on the train block, or of its kind; None where there is none.
        fitted_rows: of the fit that was scored.
        fit_s: seconds of the choice on tune and of the refit.
        peak_bytes: largest resident memory of the process until the fit was done.
        ms_per_100_rows: from feature rows to probabilities, on one thread.
        probabilities: (n_test_known,) in table order.
    """

    name: str
    title: str
    figures: Figures
    tune_auc: float | None
    fitted_rows: int
    iterations: int
    fit_s: float
    peak_bytes: int
    ms_per_100_rows: float
    probabilities: NDArray[np.float64]


def measure(name: str, table: ZooTable, plan: Plan, progress: Progress | None = None) -> Measured:
    """Fit and score one model of the registry but the ensemble."""
    entry = zoo_entries(plan.trainers(), plan.settings, plan.compute)[name]
    blocks = cut_blocks(table.examples, plan.recipe.test_start, plan.recipe)
    trainer = entry.trainer()
    began = time.perf_counter()
    train = _examples(table, entry, blocks.train)
    tune = _examples(table, replace(entry, max_rows=None), blocks.tune)
    chosen = trainer.fit(train, tune, seed=plan.seed, progress=_begun(progress, f"{name}: choose"))
    tuned_s = time.perf_counter() - began
    tune_auc = auc(tune.labels.astype(np.int8), chosen.probabilities(tune.features))
    iterations = chosen.iterations()
    # The peak is that of the larger fit, not of both models together.
    del train, tune, chosen
    began = time.perf_counter()
    everything = _examples(table, entry, blocks.all)
    final = trainer.fit(
        everything,
        None,
        seed=plan.seed,
        iterations=iterations,
        progress=_begun(progress, f"{name}: refit"),
    )
    fit_s = tuned_s + time.perf_counter() - began
    peak = peak_bytes()
    test = scored_rows(table, plan.recipe)
    return measured(
        name,
        entry.title,
        final.probabilities,
        _examples(table, replace(entry, max_rows=None), test),
        table.examples.user[test],
        plan,
        tune_auc=None if np.isnan(tune_auc) else tune_auc,
        fitted_rows=len(everything),
        iterations=final.iterations(),
        fit_s=fit_s,
        peak=peak,
    )


def measured(
    name: str,
    title: str,
    score: Callable[..., NDArray[np.float64]],
    test: Examples,
    users: NDArray[np.int32],
    plan: Plan,
    *,
    tune_auc: float | None,
    fitted_rows: int,
    iterations: int,
    fit_s: float,
    peak: int,
) -> Measured:
    """Score the test rows, once, and put everything together."""
    probabilities = score(test.features)
    if probabilities.shape != (len(test),) or not np.isfinite(probabilities).all():
        raise ValueError(f"{name} must answer {len(test)} finite probabilities")
    return Measured(
        name=name,
        title=title,
        figures=zoo_figures(test.labels.astype(np.int8), probabilities, users, seed=plan.seed),
        tune_auc=tune_auc,
        fitted_rows=fitted_rows,
        iterations=iterations,
        fit_s=fit_s,
        peak_bytes=peak,
        ms_per_100_rows=_latency_ms(score, test),
        probabilities=probabilities,
    )


def scored_rows(table: ZooTable, recipe: Recipe) -> NDArray[np.bool_]:
    """(n,) which examples are scored: those of the test block whose labels are known.

    Raises:
        NotEnoughDataError: there are none, or only of one label.
    """
    examples = table.examples
    rows: NDArray[np.bool_] = (examples.position >= recipe.test_start) & (
        examples.labels != UNKNOWN_LABEL
    )
    if len(np.unique(examples.labels[rows])) < 2:
        raise NotEnoughDataError("the test block lacks labels of one kind: give a longer log")
    return rows


def _examples(table: ZooTable, entry: Entry, block: NDArray[np.bool_]) -> Examples:
    """The latest rows of a block, as many as the entry is fitted on."""
    rows = np.flatnonzero(block)
    if entry.max_rows is not None and len(rows) > entry.max_rows:
        rows = rows[-entry.max_rows :]
    if entry.needs_trail:
        labels = table.examples.labels[rows].astype(np.float32)
        return Examples(table.with_trail(rows), labels)
    kept = np.zeros(len(block), bool)
    kept[rows] = True
    return table.examples.take(kept)


def _latency_ms(score: Callable[..., NDArray[np.float64]], test: Examples) -> float:
    """Of TIMED_ROWS rows of different users; the median, after a first run that is not counted."""
    rows = np.resize(np.arange(min(len(test), TIMED_ROWS)), TIMED_ROWS)
    batch = test.features.take(rows)
    seconds: list[float] = []
    with Compute(threads=1).limited_threads(), threadpool_limits(limits=1):
        score(batch)
        began = time.perf_counter()
        while len(seconds) < TIMED_RUNS and time.perf_counter() - began < TIMED_S:
            start = time.perf_counter()
            score(batch)
            seconds.append(time.perf_counter() - start)
    return 1000.0 * median(seconds)


def peak_bytes() -> int:
    """Largest resident memory of this process so far, mapped files that it read included.

    On Linux from the kernel's mark of this program alone: what getrusage says of a new process
    begins with the memory of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


def _begun(progress: Progress | None, stage: str) -> Progress | None:
    """The progress of a stage that begins now: most libraries say nothing until they are done."""
    if progress is None:
        return None
    progress(stage, 0.0)
    return lambda _, done: progress(stage, done)
