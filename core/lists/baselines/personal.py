"""Popularity and the user's own past: what was taken before is taken again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.lists.baselines.history import History
from core.lists.baselines.scored import Baseline, Scorer, Settings, SparseScores

NEVER = float("inf")
"""As a half-life: nothing fades."""


@dataclass(frozen=True)
class SameForAll:
    """Scores (c,) that do not depend on the user."""

    column_scores: NDArray[np.float32]

    def scores(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """See Scorer."""
        return np.tile(self.column_scores, (len(users), 1))


def _popularity(history: History) -> Callable[[Settings], Scorer]:
    def fit(settings: Settings) -> Scorer:
        weights = np.exp2(-history.log_age_days / float(settings["half_life_days"]))
        taken = np.bincount(history.column, weights=weights, minlength=len(history.objects))
        return SameForAll(taken.astype(np.float32))

    return fit


def _frequency(history: History) -> Callable[[Settings], Scorer]:
    def fit(settings: Settings) -> Scorer:
        counts = history.repeats if settings["count"] == "events" else np.ones(len(history.user))
        return SparseScores(history.matrix(counts))

    return fit


def fading(history: History, settings: Settings) -> NDArray[np.float64]:
    """(h,) weights of the rows, halved with every half-life of days or of the user's visits."""
    ages = history.age_visits if settings["clock"] == "visits" else history.age_days
    return np.exp2(-ages / float(settings["half_life"]))


def _faded_frequency(history: History) -> Callable[[Settings], Scorer]:
    def fit(settings: Settings) -> Scorer:
        return SparseScores(history.matrix(fading(history, settings)))

    return fit


def _last_items(history: History) -> Callable[[Settings], Scorer]:
    def fit(settings: Settings) -> Scorer:
        matrix = history.counts.copy()
        if settings["within_visit"] == "often first":
            within = 1.0 - 1.0 / (1.0 + matrix.data.astype(np.float64))
            row_places = within[_places(history)]
        else:  # rows are in log order
            row_places = np.arange(len(history.user)) / len(history.user)
        latest = np.zeros(len(matrix.data))
        np.maximum.at(latest, _places(history), history.visit + row_places)
        # Ranks, for single precision would lose places within a visit.
        matrix.data = 1.0 + np.unique(latest, return_inverse=True)[1].astype(np.float32)
        return SparseScores(matrix)

    return fit


def _places(history: History) -> NDArray[np.int64]:
    """(h,) where each row's (user, column) stands in the data of the history's matrices."""
    size = len(history.objects)
    counts = history.counts
    users = np.repeat(np.arange(history.n_users), np.diff(counts.indptr))
    return np.searchsorted(users * size + counts.indices, history.user * size + history.column)


POPULARITY = Baseline(
    "popularity", {"half_life_days": (7.0, 30.0, 90.0, 365.0, NEVER)}, _popularity
)
FREQUENCY = Baseline("personal frequency", {"count": ("visits", "events")}, _frequency)
FADED_GRID = {
    "clock": ("days", "visits"),
    "half_life": (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0),
}
FADED_FREQUENCY = Baseline("decayed personal frequency", FADED_GRID, _faded_frequency)
LAST_ITEMS = Baseline("last items", {"within_visit": ("latest first", "often first")}, _last_items)
