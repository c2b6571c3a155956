"""A reward model for doubly robust estimates: how often an item of some probability is taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from core.policy.slots import LoggedSlots

FOLDS = 2


def expected_rewards(slots: LoggedSlots) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) expected rewards of what was shown, and (n,) of the best that was left at its place.

    Logistic in the model's log-odds and the logarithm of the place, fitted on the other half of the
    users: no row is judged by what it taught. Rewards must lie in [0, 1].
    """
    shown, best = np.zeros(len(slots)), np.zeros(len(slots))
    fold = slots.user % FOLDS
    for i in range(FOLDS):
        fitted, judged = fold != i, fold == i
        if not judged.any():
            continue
        outcome = slots.reward[fitted] > 0.5
        if not outcome.any() or outcome.all():
            # One outcome alone, or no other user: the mean is all that can be said.
            shown[judged] = best[judged] = slots.reward[fitted].mean() if fitted.any() else 0.0
            continue
        model = LogisticRegression().fit(_inputs(slots.probability, slots.slot)[fitted], outcome)
        for out, probability in ((shown, slots.probability), (best, slots.best_probability)):
            inputs = _inputs(probability, slots.slot)[judged]
            out[judged] = model.predict_proba(inputs)[:, 1]
    return shown, best


def _inputs(probability: NDArray[np.float64], slot: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 2) log-odds and logarithms of the places."""
    inside = np.clip(probability, 1e-6, 1.0 - 1e-6)
    return np.column_stack([np.log(inside / (1.0 - inside)), np.log(slot)])
