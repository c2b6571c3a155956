"""Linear discriminants of genres: one covariance for all, shrunk as far as the tracks are few.

Fisher 1936; the shrinkage is Ledoit and Wolf's 2004, "A well-conditioned estimator for
large-dimensional covariance matrices".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from domains.music.audio.columns import ColumnKind, Columns
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.standard import mean_and_scale

_FLOOR = 1e-4
"""Added to a tag's probability before its logarithm."""
_ABSENT = -20.0
"""Logit of a genre that none of the tracks fitted on had."""


@dataclass(frozen=True, eq=False)
class Discriminant:
    """A fitted model; immutable. It sees the tags alone where there are any."""

    mean: NDArray[np.float64]
    """`(n_seen,)`."""
    scale: NDArray[np.float64]
    """`(n_seen,)`, one over the standard deviation; 0 for a constant column."""
    weights: NDArray[np.float64]
    """`(n_seen, n_genres)`."""
    biases: NDArray[np.float64]
    """`(n_genres,)`."""

    @classmethod
    def fit(
        cls, columns: Columns, values: NDArray[np.float64], labels: GenreLabels
    ) -> Discriminant:
        """Fit on `(n, n_columns)` values."""
        seen = _seen(columns, values)
        mean, scale = mean_and_scale(seen)
        standard = (seen - mean) * scale
        weights = np.zeros((len(mean), len(labels.genres)))
        biases = np.full(len(labels.genres), _ABSENT)
        if labels.several:
            for genre, marks in enumerate(labels.marks.T.astype(int)):
                if marks.all():
                    biases[genre] = -_ABSENT
                elif marks.any():
                    slopes, offsets = _discriminate(standard, marks)
                    weights[:, genre] = slopes[:, 1] - slopes[:, 0]
                    biases[genre] = offsets[1] - offsets[0]
        else:
            present, codes = np.unique(labels.marks.argmax(axis=1), return_inverse=True)
            weights[:, present], biases[present] = _discriminate(standard, codes)
        return cls(mean, scale, weights, biases)

    def logits(self, columns: Columns, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(n, n_genres)`: log-odds if genres go together, else logits of a softmax."""
        standard = (_seen(columns, values) - self.mean) * self.scale
        logits: NDArray[np.float64] = standard @ self.weights + self.biases
        return logits

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """All arrays by name, for storage."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in self.__annotations__}

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[np.float64]]) -> Discriminant:
        """Rebuild from `tensors`; KeyError if one is missing."""
        return cls(**{name: tensors[name] for name in cls.__annotations__})


def _seen(columns: Columns, values: NDArray[np.float64]) -> NDArray[np.float64]:
    tags = np.array([kind is ColumnKind.TAG for kind in columns.kinds], dtype=np.bool_)
    if not tags.any():
        return columns.evened(values)
    seen: NDArray[np.float64] = np.log(np.maximum(values[:, tags], 0.0) + _FLOOR)
    return seen


def _discriminate(
    values: NDArray[np.float64], codes: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights `(n_columns, n_classes)` and biases `(n_classes,)` for codes from 0."""
    counts = np.bincount(codes)
    means = np.zeros((len(counts), values.shape[1]))
    np.add.at(means, codes, values)
    means /= counts[:, np.newaxis]
    covariance, _ = ledoit_wolf(values - means[codes], assume_centered=True)
    # Tracks of a genre that are all alike would have no inverse.
    covariance += 1e-3 * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, means.T)
    return weights, np.log(counts / counts.sum()) - 0.5 * (means * weights.T).sum(axis=1)
