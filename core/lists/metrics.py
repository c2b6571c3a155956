"""How well lists foresaw what users took: accuracy by user, and two recommenders compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation import RESAMPLES, interval
from core.lists.protocol import Targets

Vector = NDArray[np.float64]

ACCURACY = ("precision", "recall", "map", "ndcg", "hit_rate", "mrr")
"""Names of the figures of `accuracy`, in the order of reports."""


def hits_of(lists: NDArray[np.int32], targets: Targets) -> NDArray[np.bool_]:
    """(n, k) whether the object at each place of the users' lists is a target of the user.

    Args:
        lists: (n, k) object indices, -1 where a list has ended.
        targets: of the same n users, in the same order.
    """
    if not len(targets.objects):
        return np.zeros(lists.shape, bool)
    size = 1 + max(int(targets.objects.max()), int(lists.max(initial=0)))
    user = np.repeat(np.arange(len(lists)), targets.sizes)
    wanted = user * size + targets.objects  # ascending, as users and their objects are
    listed = np.arange(len(lists))[:, None] * size + lists
    place = np.minimum(np.searchsorted(wanted, listed), len(wanted) - 1)
    hits: NDArray[np.bool_] = (wanted[place] == listed) & (lists >= 0)
    return hits


def accuracy(hits: NDArray[np.bool_], sizes: NDArray[np.int64], k: int) -> dict[str, Vector]:
    """Figure -> (n,) its value for each user at depth k; NaN for users without a target.

    Precision divides by k however short the list, recall by all targets, the average precision of
    MAP by min(k, targets). Relevance of NDCG is binary and the ideal list has min(k, targets) hits.

    Args:
        hits: (n, depth) of `hits_of`; places beyond the depth count as missed.
        sizes: (n,) how many targets each user has, those that no list could name included.
        k: how many places count.
    """
    hits = hits[:, :k]
    places = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1)
    total = found[:, -1] if hits.shape[1] else np.zeros(len(hits), np.int64)
    best = np.minimum(sizes, k)
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.append(0.0, np.cumsum(discounts))[best]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = {
            "precision": total / k,
            "recall": total / sizes,
            "map": (hits * found / places).sum(axis=1) / best,
            "ndcg": hits @ discounts[: hits.shape[1]] / ideal,
            "hit_rate": (total > 0).astype(np.float64),
            "mrr": (hits / places).max(axis=1, initial=0.0),
        }
    return {name: np.where(sizes > 0, value, np.nan) for name, value in values.items()}


def recall_at(hits: NDArray[np.bool_], sizes: NDArray[np.int64], k: int) -> Vector:
    """(n,) share of each user's targets within the first k places; NaN without a target."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sizes > 0, hits[:, :k].sum(axis=1) / sizes, np.nan)


def mean_of(values: Vector) -> float:
    """The mean over the users who have a value; NaN where none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True)
class PairedMeans:
    """Two recommenders' means over the same users, and how sure their order is."""

    users: int
    """How many users have a value under both."""
    mean: float
    rival_mean: float
    difference: float
    difference_low: float
    """Lower end of the 95 % interval of the paired bootstrap over users."""
    difference_high: float
    ratio: float
    ratio_low: float
    ratio_high: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for reports; NaN becomes None."""
        return plain(asdict(self))


def paired_means(
    values: Vector, rival: Vector, *, seed: int, resamples: int = RESAMPLES
) -> PairedMeans:
    """The difference and the ratio of two means, with intervals over the same resampled users.

    Args:
        values, rival: (n,) a figure of each user under either recommender, in the same order.
        seed: of the bootstrap; equal seeds and users draw equal resamples.
        resamples: how many times users are drawn.

    Raises:
        ValueError: the arrays differ in length.
    """
    if len(values) != len(rival):
        raise ValueError(
            "a paired comparison needs the same users under both recommenders, got "
            f"{len(values)} and {len(rival)} values"
        )
    known = ~(np.isnan(values) | np.isnan(rival))
    both = np.column_stack([values[known], rival[known]])
    n = len(both)
    if not n:
        nan = float("nan")
        return PairedMeans(0, nan, nan, nan, nan, nan, nan, nan, nan)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, 2))
    for i in range(resamples):
        means[i] = np.bincount(generator.integers(n, size=n), minlength=n) @ both / n
    mean, rival_mean = both.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(means[:, 1] > 0, means[:, 0] / means[:, 1], np.nan)
    difference_low, difference_high = interval(means[:, 0] - means[:, 1])
    ratio_low, ratio_high = interval(ratios)
    return PairedMeans(
        users=n,
        mean=float(mean),
        rival_mean=float(rival_mean),
        difference=float(mean - rival_mean),
        difference_low=difference_low,
        difference_high=difference_high,
        ratio=float(mean / rival_mean) if rival_mean > 0 else float("nan"),
        ratio_low=ratio_low,
        ratio_high=ratio_high,
    )


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON can hold them: NaN becomes None, in mappings within too."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return plain(value)
    return None if isinstance(value, float) and np.isnan(value) else value
