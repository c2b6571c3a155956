"""Settings for baselines, chosen on an earlier cut: what follows the cut stays unseen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.lists.baselines.history import History, history_of
from core.lists.baselines.scored import Baseline, Setting, Settings, TunedLists, lists_of
from core.lists.metrics import accuracy, hits_of, mean_of
from core.lists.protocol import ListTask, Mode, TargetKind, earlier_task

DEPTH = 10
"""Settings are chosen by the NDCG at this depth, of the next visit."""
SWEEPS = 3
"""How often each setting is varied at most."""
MOST_USERS = 1000
"""Settings are compared on at most so many users, drawn at random."""

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done."""

Point = tuple[Setting, ...]


@dataclass(frozen=True)
class Choice:
    """The settings of one baseline in one mode."""

    settings: Settings
    ndcg: float
    """On the earlier cut, at DEPTH, of the next visit."""
    tried: int
    """Settings that were tried in this mode."""


@dataclass(frozen=True)
class TunedBaseline:
    """A baseline fitted on a task's history, and how its settings were chosen."""

    lists: TunedLists
    choices: Mapping[Mode, Choice]


def tune_baselines(
    task: ListTask,
    baselines: Sequence[Baseline],
    *,
    seed: int,
    modes: Sequence[Mode] = tuple(Mode),
    progress: Progress | None = None,
) -> list[TunedBaseline]:
    """Each baseline with its best settings by mode, chosen on an earlier cut of the history.

    Raises:
        NotEnoughDataError: the history is too short for an earlier cut.
    """
    earlier = earlier_task(task)
    past, present = history_of(earlier, seed), history_of(task, seed)
    tuned = []
    for number, baseline in enumerate(baselines):
        if progress is not None:
            progress(f"tune {baseline.name}", 0.0)
        choices = _choices(baseline, earlier, past, modes)
        fit = baseline.prepare(present)
        scorers = {mode: fit(choice.settings) for mode, choice in choices.items()}
        tuned.append(TunedBaseline(TunedLists(baseline.name, present, scorers), choices))
        if progress is not None:
            progress(f"tune {baseline.name}", 1.0)
            progress("baselines", (number + 1) / len(baselines))
    return tuned


def _choices(
    baseline: Baseline, task: ListTask, history: History, modes: Sequence[Mode]
) -> dict[Mode, Choice]:
    names, axes = tuple(baseline.grid), tuple(baseline.grid.values())
    fit = baseline.prepare(history)
    judged = _drawn(task, history.seed)
    known: dict[Point, dict[Mode, float]] = {}

    def quality(point: Point) -> dict[Mode, float]:
        if point not in known:
            scorer = fit(dict(zip(names, point, strict=True)))
            lists = lists_of(scorer, history, task.users[judged], DEPTH, modes)
            known[point] = {mode: _ndcg(task, judged, lists[mode], mode) for mode in modes}
        return known[point]

    chosen = {}
    point = tuple(values[len(values) // 2] for values in axes)
    for mode in modes:
        # From the best of the mode before: modes want much the same.
        point, tried = _climb(axes, partial(_in_mode, quality, mode), point)
        settings = dict(zip(names, point, strict=True))
        chosen[mode] = Choice(settings, quality(point)[mode], tried)
    return chosen


def _drawn(task: ListTask, seed: int) -> NDArray[np.int64]:
    """Positions of the users that settings are compared on, ascending."""
    n = len(task.users)
    if n <= MOST_USERS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_USERS, replace=False))


def _in_mode(quality: Callable[[Point], dict[Mode, float]], mode: Mode, point: Point) -> float:
    return quality(point)[mode]


def _ndcg(task: ListTask, judged: NDArray[np.int64], lists: NDArray[np.int32], mode: Mode) -> float:
    targets = task.targets[TargetKind.NEXT].within(mode).at(judged)
    mean = mean_of(accuracy(hits_of(lists, targets), targets.sizes, DEPTH)["ndcg"])
    return 0.0 if np.isnan(mean) else mean


def _climb(
    axes: Sequence[tuple[Setting, ...]], quality: Callable[[Point], float], point: Point
) -> tuple[Point, int]:
    """One setting varied at a time, until no change helps; the best and how many were tried."""
    tried = {point}
    for _ in range(SWEEPS):
        before = point
        for axis, values in enumerate(axes):
            options = [(*point[:axis], value, *point[axis + 1 :]) for value in values]
            tried.update(options)
            point = max([point, *options], key=quality)  # of equals the first
        if point == before:
            break
    return point, len(tried)
