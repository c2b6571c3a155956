"""Recommenders asked for lists once, and every figure of these by user, kind of target and mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.lists.list_figures import Catalogue, coverage, list_figures
from core.lists.metrics import Vector, accuracy, hits_of, mean_of, recall_at
from core.lists.protocol import ListRecommender, ListTask, Mode, TargetKind

DEPTHS = (5, 10, 20)
CANDIDATE_DEPTHS = (100, 500)
"""Depths at which lists are looked at as candidates: by recall alone."""
COLD_VISITS = 3
"""Users with at most so many visits before the cut are cold."""
MAIN_FIGURE = "ndcg@10"

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done."""


@dataclass(frozen=True)
class Judged:
    """One recommender's figures for one kind of target in one mode.

    Attributes:
        by_user: figure@depth -> (n,) over the task's users, NaN where it is undefined.
        coverage: depth -> share of the catalogue in anyone's list.
    """

    by_user: Mapping[str, Vector]
    coverage: Mapping[int, float]

    def mean(self, figure: str, users: NDArray[np.bool_] | None = None) -> float:
        """The mean over the users, or some of them, that have a value."""
        values = self.by_user[figure]
        return mean_of(values if users is None else values[users])


@dataclass(frozen=True)
class Judgement:
    """All recommenders over one task.

    Attributes:
        task: what they were judged on.
        judged: (kind, mode) -> name of the recommender -> its figures.
        segments: name -> (n,) which of the task's users belong to it.
    """

    task: ListTask
    judged: Mapping[tuple[TargetKind, Mode], Mapping[str, Judged]]
    segments: Mapping[str, NDArray[np.bool_]]

    def best_of(self, names: Sequence[str], kind: TargetKind, mode: Mode) -> str:
        """The recommender of these with the best mean of MAIN_FIGURE."""
        judged = self.judged[kind, mode]
        return max(names, key=lambda name: np.nan_to_num(judged[name].mean(MAIN_FIGURE)))


def judge(
    task: ListTask,
    recommenders: Sequence[ListRecommender],
    catalogue: Catalogue,
    *,
    progress: Progress | None = None,
) -> Judgement:
    """Ask each recommender for one list a user and mode, and judge it against all targets.

    A user counts in a mode if any target of the user does: whoever took nothing new has no part
    in EXPLORE.

    Raises:
        ValueError: a recommender's lists have another shape, name an object twice or one that the
            mode forbids; or two recommenders share a name.
    """
    names = [recommender.name for recommender in recommenders]
    if len(set(names)) != len(names):
        raise ValueError(f"recommenders share a name: {', '.join(names)}")
    judged: dict[tuple[TargetKind, Mode], dict[str, Judged]] = {
        (kind, mode): {} for kind in TargetKind for mode in Mode
    }
    had = _had_pairs(task)
    popular = {mode: most_popular(task, catalogue, had, mode, max(DEPTHS)) for mode in Mode}
    for number, recommender in enumerate(recommenders):
        for mode in Mode:
            lists = recommender.recommend(task.users, max(CANDIDATE_DEPTHS), mode)
            _check_lists(task, lists, had, mode, recommender.name)
            for kind in TargetKind:
                judged[kind, mode][recommender.name] = _judged(
                    task, lists, popular[mode], catalogue, kind, mode
                )
        if progress is not None:
            progress("ask for lists", (number + 1) / len(recommenders))
    return Judgement(task, judged, segments_of(task))


def segments_of(task: ListTask) -> dict[str, NDArray[np.bool_]]:
    """Terciles of the task's users by interactions before the cut, and the cold users."""
    rows = task.history[task.visits >= 0]
    n_users = len(task.log.users)
    events = np.bincount(task.log.user_index[rows], minlength=n_users)[task.users]
    rank = np.argsort(np.argsort(events, kind="stable"), kind="stable")
    third = rank * 3 // max(len(rank), 1)
    visits = np.zeros(n_users, np.int64)
    np.maximum.at(visits, task.log.user_index[rows], task.visits[task.visits >= 0] + 1)
    return {
        "short past": third == 0,
        "middle past": third == 1,
        "long past": third == 2,
        f"cold (up to {COLD_VISITS} visits)": visits[task.users] <= COLD_VISITS,
    }


def most_popular(
    task: ListTask, catalogue: Catalogue, had: NDArray[np.int64], mode: Mode, k: int
) -> NDArray[np.int32]:
    """(n, k) the objects that most users had before the cut, of those that the mode allows."""
    order = np.argsort(-catalogue.had_by, kind="stable").astype(np.int32)
    lists = np.full((len(task.users), k), -1, np.int32)
    starts = np.searchsorted(had, np.append(task.users, len(task.log.users)) * len(catalogue))
    for position, user in enumerate(task.users):
        end = np.searchsorted(had, (user + 1) * len(catalogue))
        own = had[starts[position] : end] - user * len(catalogue)
        if mode is Mode.REPEAT:
            chosen = own[np.argsort(-catalogue.had_by[own], kind="stable")][:k]
        else:
            chosen = order[: k + len(own)]
            chosen = (chosen[~np.isin(chosen, own)] if mode is Mode.EXPLORE else chosen)[:k]
        lists[position, : len(chosen)] = chosen
    return lists


def _judged(
    task: ListTask,
    lists: NDArray[np.int32],
    popular: NDArray[np.int32],
    catalogue: Catalogue,
    kind: TargetKind,
    mode: Mode,
) -> Judged:
    targets = task.targets[kind].within(mode)
    hits = hits_of(lists, targets)
    by_user: dict[str, Vector] = {}
    for k in DEPTHS:
        figures = accuracy(hits, targets.sizes, k)
        about = list_figures(lists, hits, popular, catalogue, k)
        counts = targets.sizes > 0  # as the accuracy does, so that all means are of the same users
        figures |= {name: np.where(counts, values, np.nan) for name, values in about.items()}
        by_user |= {f"{name}@{k}": values for name, values in figures.items()}
    by_user |= {f"recall@{k}": recall_at(hits, targets.sizes, k) for k in CANDIDATE_DEPTHS}
    return Judged(by_user, {k: coverage(lists, catalogue, k) for k in DEPTHS})


def _had_pairs(task: ListTask) -> NDArray[np.int64]:
    """Pairs, as user times objects + object, of all that was had before the cut, ascending."""
    rows = task.history[task.visits >= 0]
    log = task.log
    return np.unique(
        log.user_index[rows].astype(np.int64) * len(log.objects) + log.object_index[rows]
    )


def _check_lists(
    task: ListTask, lists: NDArray[np.int32], had: NDArray[np.int64], mode: Mode, name: str
) -> None:
    shape = (len(task.users), max(CANDIDATE_DEPTHS))
    if lists.shape != shape:
        raise ValueError(f"{name}: lists of shape {lists.shape}, expected {shape}")
    ordered = np.sort(lists, axis=1)
    if ((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)).any():
        raise ValueError(f"{name}: a list names an object twice")
    if (lists >= len(task.log.objects)).any():
        raise ValueError(f"{name}: a list names an object that the log does not have")
    if mode is not Mode.ALL:
        pairs = task.users[:, None] * len(task.log.objects) + lists
        allowed = np.isin(pairs, had) == (mode is Mode.REPEAT)
        if not allowed[lists >= 0].all():
            raise ValueError(f"{name}: a list of the mode {mode} names an object that it forbids")
