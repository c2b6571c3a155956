"""The figures of DESIGN.md section 4.4, computed from labels and probabilities alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

RESAMPLES = 1000
"""Bootstrap resamples of the users behind each interval."""
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Slice:
    """The AUC over part of the rows; NaN where one label is missing."""

    rows: int
    roc_auc: float


@dataclass(frozen=True)
class Figures:
    """How well probabilities fit the labels of one block."""

    rows: int
    positives: int
    roc_auc: float
    roc_auc_low: float
    """Lower end of the 95 % bootstrap interval over users."""
    roc_auc_high: float
    pr_auc: float
    """Average precision."""
    log_loss: float
    calibration_error: float
    """Mean distance of predicted and observed rate over bins of equal size, weighted by rows."""
    per_user_auc: float
    """Mean AUC of the users with both labels, weighted by their rows."""
    per_user_count: int
    cold_users: Slice
    """Rows of users without an event before the block."""
    cold_objects: Slice

    def to_json(self) -> dict[str, Any]:
        """Plain values for manifests and reports; NaN becomes None."""
        return {k: _plain(v) for k, v in asdict(self).items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value


def figures(
    labels: NDArray[np.int8],
    probabilities: NDArray[np.float64],
    users: NDArray[np.int32],
    *,
    cold_user: NDArray[np.bool_],
    cold_object: NDArray[np.bool_],
    seed: int,
) -> Figures:
    """All figures of one block.

    Args:
        labels: (n,) 0 or 1.
        probabilities: (n,) in [0, 1].
        users: (n,) user index of each row: the unit of the bootstrap.
        cold_user, cold_object: (n,) whether the row's user or object was new to the block.
        seed: of the bootstrap.
    """
    samples = bootstrap_auc(labels, probabilities, users, seed=seed)
    low, high = interval(samples)
    per_user, per_user_count = per_user_auc(labels, probabilities, users)
    clipped = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return Figures(
        rows=len(labels),
        positives=int(labels.sum()),
        roc_auc=auc(labels, probabilities),
        roc_auc_low=low,
        roc_auc_high=high,
        pr_auc=float(average_precision_score(labels, probabilities)) if labels.any() else np.nan,
        log_loss=float(log_loss(labels, clipped, labels=[0, 1])) if len(labels) else np.nan,
        calibration_error=calibration_error(labels, probabilities),
        per_user_auc=per_user,
        per_user_count=per_user_count,
        cold_users=_slice(labels, probabilities, cold_user),
        cold_objects=_slice(labels, probabilities, cold_object),
    )


def auc(labels: NDArray[np.int8], scores: NDArray[np.float64]) -> float:
    """ROC-AUC; NaN when a label is missing."""
    if len(labels) == 0 or labels.min() == labels.max():
        return float("nan")
    return float(roc_auc_score(labels, scores))


def interval(samples: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of bootstrap samples."""
    known = samples[~np.isnan(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_auc(
    labels: NDArray[np.int8],
    scores: NDArray[np.float64],
    users: NDArray[np.int32],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> NDArray[np.float64]:
    """AUCs (resamples,) over users drawn with replacement.

    Equal seeds and users draw equal resamples, so the difference of two models' samples is the
    paired bootstrap of their difference.
    """
    _, user = np.unique(users, return_inverse=True)
    n_users = int(user.max()) + 1 if len(user) else 0
    order = np.argsort(scores, kind="stable")
    groups = np.concatenate([[True], np.diff(scores[order]) > 0]) if len(order) else order == 0
    generator = np.random.default_rng(seed)
    samples = np.full(resamples, np.nan)
    labels, user = labels[order], user[order]
    for i in range(resamples if n_users else 0):
        weights = np.bincount(generator.integers(n_users, size=n_users), minlength=n_users)
        samples[i] = _weighted_auc(labels, groups, weights[user])
    return samples


@dataclass(frozen=True)
class PairedDifference:
    """How much one model's AUC is above a rival's on the same rows."""

    difference: float
    low: float
    """Lower end of the 95 % interval of the paired bootstrap over users."""
    high: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for reports; NaN becomes None."""
        return {k: _plain(v) for k, v in asdict(self).items()}


def paired_auc_interval(
    labels: NDArray[np.int8],
    scores: NDArray[np.float64],
    rival: NDArray[np.float64],
    users: NDArray[np.int32],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> PairedDifference:
    """AUC of `scores` less that of `rival`, with its interval over the same resampled users.

    Both models are judged on each resample, so what makes a resample easy or hard for both
    cancels: the interval is narrower than two intervals side by side would suggest.

    Args:
        labels: (n,) 0 or 1.
        scores, rival: (n,) of the two models, in the same order of rows.
        users: (n,) user index of each row: the unit of the bootstrap.
        seed: of the bootstrap.
        resamples: how many times users are drawn.

    Raises:
        ValueError: the arrays differ in length.
    """
    if not len(labels) == len(scores) == len(rival) == len(users):
        raise ValueError(
            "a paired comparison needs the same rows for both models, got "
            f"{len(labels)} labels, {len(scores)} and {len(rival)} scores, {len(users)} users"
        )
    ours = bootstrap_auc(labels, scores, users, seed=seed, resamples=resamples)
    theirs = bootstrap_auc(labels, rival, users, seed=seed, resamples=resamples)
    low, high = interval(ours - theirs)
    return PairedDifference(auc(labels, scores) - auc(labels, rival), low, high)


@njit(cache=True)
def _weighted_auc(
    labels: NDArray[np.int8], starts_group: NDArray[np.bool_], weights: NDArray[np.int64]
) -> float:
    """AUC of rows sorted by score, ties counting one half."""
    below = 0.0
    total_positive = 0.0
    won = 0.0
    group_positive = 0.0
    group_negative = 0.0
    for i in range(len(labels)):
        if starts_group[i]:
            won += group_positive * (below + 0.5 * group_negative)
            below += group_negative
            group_positive = 0.0
            group_negative = 0.0
        if labels[i] == 1:
            group_positive += weights[i]
            total_positive += weights[i]
        else:
            group_negative += weights[i]
    won += group_positive * (below + 0.5 * group_negative)
    below += group_negative
    if total_positive == 0.0 or below == 0.0:
        return np.nan
    return won / (total_positive * below)


def per_user_auc(
    labels: NDArray[np.int8], scores: NDArray[np.float64], users: NDArray[np.int32]
) -> tuple[float, int]:
    """Mean AUC within users that have both labels, weighted by rows, and how many they are."""
    order = np.lexsort((scores, users))
    starts_group = np.diff(scores[order], prepend=-np.inf) > 0
    bounds = np.flatnonzero(np.diff(users[order])) + 1
    once = np.ones(len(order), np.int64)
    total = weight = 0.0
    count = 0
    for rows in np.split(np.arange(len(order)), bounds):
        # The kernel, for scikit-learn's checks of its input take longer than a user's few rows.
        own = _weighted_auc(labels[order[rows]], starts_group[rows], once[rows])
        if not np.isnan(own):
            total += own * len(rows)
            weight += len(rows)
            count += 1
    return (total / weight if count else float("nan")), count


def calibration_error(labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> float:
    """Expected calibration error over CALIBRATION_BINS bins of equal size."""
    if not len(labels):
        return float("nan")
    # Rows of equal probability share their rate: where a bin cuts them, their order says nothing.
    _, group = np.unique(probabilities, return_inverse=True)
    rates = (np.bincount(group, weights=labels) / np.bincount(group))[group]
    order = np.argsort(probabilities, kind="stable")
    error = 0.0
    for rows in np.array_split(order, min(CALIBRATION_BINS, len(order))):
        gap = abs(float(probabilities[rows].mean()) - float(rates[rows].mean()))
        error += gap * len(rows) / len(labels)
    return error


def _slice(
    labels: NDArray[np.int8], probabilities: NDArray[np.float64], rows: NDArray[np.bool_]
) -> Slice:
    return Slice(int(rows.sum()), auc(labels[rows], probabilities[rows]))
