"""The figures of a row of the zoo."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from core.evaluation import auc, bootstrap_auc, calibration_error, interval

THRESHOLD = 0.5
"""Probability from which on a row counts as predicted to come back."""

Figures = Mapping[str, float | None]
"""By name; None where a figure is undefined."""


def zoo_figures(
    labels: NDArray[np.int8],
    probabilities: NDArray[np.float64],
    users: NDArray[np.int32],
    *,
    seed: int,
) -> Figures:
    """All figures of one block.

    Args:
        labels: (n,) 0 or 1.
        probabilities: (n,) in [0, 1].
        users: (n,) user index of each row: the unit of the bootstrap.
        seed: of the bootstrap.
    """
    low, high = interval(bootstrap_auc(labels, probabilities, users, seed=seed))
    said = probabilities >= THRESHOLD
    precision, recall, _, _ = precision_recall_fscore_support(
        labels, said, average="binary", zero_division=0.0
    )
    clipped = np.clip(probabilities, 1e-12, 1 - 1e-12)
    found = {
        "roc_auc": auc(labels, probabilities),
        "roc_auc_low": low,
        "roc_auc_high": high,
        "pr_auc": float(average_precision_score(labels, probabilities)),
        "f1": float(f1_score(labels, said, zero_division=0.0)),
        "accuracy": float(np.mean(said == labels)),
        "precision": float(precision),
        "recall": float(recall),
        "log_loss": float(log_loss(labels, clipped, labels=[0, 1])),
        "calibration_error": calibration_error(labels, probabilities),
    }
    return {name: None if isnan(value) else value for name, value in found.items()}
