"""Logistic regression over similarities to landmark sounds: smooth where trees are coarse.

The radial kernel is approximated by Nyström's method (Williams and Seeger, NIPS 2000), so that
fitting stays linear in the number of tracks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression

from domains.music.audio.columns import Columns
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.standard import mean_and_scale

_LANDMARKS = 350
_WIDTH = 0.3
"""The kernel is exp(-width · mean squared difference), roughly."""
_INVERSE_PENALTY = 30.0
_ABSENT = -20.0
"""Logit of a genre that none of the tracks fitted on had."""


@dataclass(frozen=True, eq=False)
class KernelLogistic:
    """A fitted model; immutable."""

    mean: NDArray[np.float64]
    """`(n_columns,)`, of the evened columns."""
    scale: NDArray[np.float64]
    """`(n_columns,)`, weight over standard deviation; 0 for a constant column."""
    landmarks: NDArray[np.float64]
    """`(n_landmarks, n_columns)`."""
    projection: NDArray[np.float64]
    """`(n_landmarks, n_landmarks)`, from similarities to features."""
    weights: NDArray[np.float64]
    """`(n_landmarks, n_genres)`."""
    biases: NDArray[np.float64]
    """`(n_genres,)`."""

    @classmethod
    def fit(
        cls, columns: Columns, values: NDArray[np.float64], labels: GenreLabels, seed: int
    ) -> KernelLogistic:
        """Fit on `(n, n_columns)` values."""
        evened = columns.evened(values)
        mean, scale = mean_and_scale(evened)
        scale *= columns.weights
        standard = (evened - mean) * scale
        kernel = Nystroem(
            gamma=_width(len(mean)),
            n_components=min(_LANDMARKS, len(values)),
            random_state=seed,
        )
        similarities = kernel.fit_transform(standard)
        weights, biases = _regress(similarities, labels)
        return cls(mean, scale, kernel.components_, kernel.normalization_.T, weights, biases)

    def logits(self, columns: Columns, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(n, n_genres)`: log-odds if genres go together, else logits of a softmax."""
        standard = (columns.evened(values) - self.mean) * self.scale
        squared = (
            (standard**2).sum(axis=1)[:, np.newaxis]
            + (self.landmarks**2).sum(axis=1)
            - 2.0 * standard @ self.landmarks.T
        )
        similarities = np.exp(-_width(len(self.mean)) * np.maximum(squared, 0.0))
        logits: NDArray[np.float64] = similarities @ self.projection @ self.weights + self.biases
        return logits

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """All arrays by name, for storage."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in self.__annotations__}

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[np.float64]]) -> KernelLogistic:
        """Rebuild from `tensors`; KeyError if one is missing."""
        return cls(**{name: tensors[name] for name in cls.__annotations__})


def _width(n_columns: int) -> float:
    return _WIDTH / n_columns


def _regress(
    similarities: NDArray[np.float64], labels: GenreLabels
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_genres = len(labels.genres)
    weights = np.zeros((similarities.shape[1], n_genres))
    biases = np.full(n_genres, _ABSENT)

    def fitted(codes: NDArray[np.int_]) -> LogisticRegression:
        return LogisticRegression(C=_INVERSE_PENALTY, max_iter=1_000).fit(similarities, codes)

    if labels.several:
        for genre, marks in enumerate(labels.marks.T.astype(int)):
            if marks.all():
                biases[genre] = -_ABSENT
            elif marks.any():
                model = fitted(marks)
                weights[:, genre], biases[genre] = model.coef_[0], model.intercept_[0]
        return weights, biases
    codes = labels.marks.argmax(axis=1)
    present = np.unique(codes)
    if len(present) == 1:
        biases[present[0]] = -_ABSENT
        return weights, biases
    model = fitted(codes)
    if len(present) == 2:  # scikit-learn keeps one column for two classes
        weights[:, present[1]] = model.coef_[0]
        biases[present] = 0.0, model.intercept_[0]
    else:
        weights[:, present], biases[present] = model.coef_.T, model.intercept_
    return weights, biases
