"""GenreModel: CatBoost and kernel logistic regression, pooled and calibrated on held-out artists.

Groups (artists, or recordings) are held out whole: two excerpts of one recording are nearly the
same sound, and one on each side of the line would make any model look good.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from catboost import CatBoostError
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from core.errors import BundleError, NotEnoughDataError
from domains.music.audio.columns import ColumnKind, Columns
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.genre_report import GenreReport, judge
from domains.music.audio.genre_trees import GenreTrees
from domains.music.audio.kernel_logistic import KernelLogistic

N_FOLDS = 5
"""Folds of the tracks on which pooling is fitted and the model judged; smaller sets take more."""
_FEW = 200
_FOLDS_OF_FEW = 20
_TREES_FILE = "genre.cbm"
_KERNEL_FILE = "genre.safetensors"
_MODEL_FILE = "genre.json"


@dataclass(frozen=True)
class Pooling:
    """How the two halves are put together: a weighted sum of logits, and an offset."""

    trees: float = 0.5
    kernel: float = 0.5
    offset: float = 0.0
    """Counts only where genres do not exclude each other."""

    def probabilities(
        self, trees: NDArray[np.float64], kernel: NDArray[np.float64], several: bool
    ) -> NDArray[np.float64]:
        """Pool logits `(n, n_genres)`."""
        pooled = self.trees * trees + self.kernel * kernel
        shares: NDArray[np.float64] = (
            expit(pooled + self.offset) if several else softmax(pooled, axis=1)
        )
        return shares

    @classmethod
    def fit(
        cls, trees: NDArray[np.float64], kernel: NDArray[np.float64], labels: GenreLabels
    ) -> Pooling:
        """Fit on logits of tracks that the halves had not heard: least log-loss."""

        def log_loss(weights: NDArray[np.float64]) -> float:
            pooled = weights[0] * trees + weights[1] * kernel
            if labels.several:
                signed = np.where(labels.marks > 0, 1.0, -1.0) * (pooled + weights[2])
                return float(np.logaddexp(0.0, -signed).mean())
            return -float((log_softmax(pooled, axis=1) * labels.marks).sum(axis=1).mean())

        bounds = [(0.05, 5.0), (0.05, 5.0), (-5.0, 5.0) if labels.several else (0.0, 0.0)]
        found = minimize(log_loss, np.array([0.5, 0.5, 0.0]), bounds=bounds, method="L-BFGS-B")
        return cls(*(float(value) for value in found.x))


@dataclass(frozen=True, eq=False)
class GenreModel:
    """A fitted model; made by `fit_genre_model` or `GenreModel.load`, and immutable."""

    genres: tuple[str, ...]
    several: bool
    """True if genres do not exclude each other: then probabilities need not sum to 1."""
    columns: Columns
    trees: GenreTrees
    kernel: KernelLogistic
    pooling: Pooling
    report: GenreReport

    @property
    def note(self) -> str:
        """One line for whoever reads an answer of the model."""
        return self.report.note

    def predict_proba(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities `(n, n_genres)` in the order of `genres`.

        Args:
            values: `(n, n_columns)`, as `columns`; n may be 0.
        """
        if not len(values):
            return np.empty((0, len(self.genres)))
        return self.pooling.probabilities(
            self.trees.logits(values, self.several),
            self.kernel.logits(self.columns, values),
            self.several,
        )

    def save(self, directory: Path) -> None:
        """Write `genre.cbm`, `genre.safetensors` and `genre.json`; equal models, equal bytes."""
        self.trees.save(directory / _TREES_FILE)
        save_file(self.kernel.tensors(), directory / _KERNEL_FILE)
        described = {
            "genres": self.genres,
            "several": self.several,
            "columns": dict(zip(self.columns.names, self.columns.kinds, strict=True)),
            "pooling": asdict(self.pooling),
            "report": asdict(self.report),
            "note": self.note,
        }
        (directory / _MODEL_FILE).write_text(
            json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, directory: Path, columns: Columns) -> GenreModel:
        """Read what `save` wrote.

        Args:
            directory: holds the three files.
            columns: what the model will be asked about.

        Raises:
            BundleError: if a file is missing or damaged, or was made for other columns.
        """
        try:
            described = json.loads((directory / _MODEL_FILE).read_text(encoding="utf-8"))
            stored = described["columns"]
            model = cls(
                tuple(str(genre) for genre in described["genres"]),
                bool(described["several"]),
                Columns(tuple(stored), tuple(ColumnKind(kind) for kind in stored.values())),
                GenreTrees.load(directory / _TREES_FILE),
                KernelLogistic.of(load_file(directory / _KERNEL_FILE)),
                Pooling(**described["pooling"]),
                GenreReport.of(described["report"]),
            )
            # Files of two models do not fit: better said now than at the first question.
            fits = model.predict_proba(np.zeros((1, len(stored)))).shape == (1, len(model.genres))
        except (
            *(OSError, ValueError, KeyError, TypeError, AttributeError),
            *(CatBoostError, SafetensorError),
        ) as error:
            raise BundleError(
                f"the genre model in {directory} cannot be read ({error}): build it again"
            ) from error
        if model.columns != columns or not fits:
            raise BundleError(
                f"the genre model in {directory} was made for other features or genres: "
                "build it again with this version"
            )
        return model

    @staticmethod
    def lies_in(directory: Path) -> bool:
        """True if a model was saved there."""
        return (directory / _MODEL_FILE).is_file()


def fit_genre_model(
    columns: Columns,
    values: NDArray[np.float64],
    labels: GenreLabels,
    seed: int,
    n_threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> GenreModel:
    """Fit the model on all tracks, pooled and judged by folds of groups it had not heard.

    Args:
        columns: what the columns are.
        values: `(n, n_columns)`, finite.
        labels: of the same tracks.
        seed: of folds, landmarks and trees.
        n_threads: of the trees.
        progress: called with the share done, in (0, 1].

    Returns:
        The model, carrying its `GenreReport`.

    Raises:
        NotEnoughDataError: if all tracks sound the same.
    """
    if not _differ(values):
        raise NotEnoughDataError("the labelled tracks all sound the same: label other ones too")
    tell = progress or (lambda _: None)
    folds = labels.folds(_FOLDS_OF_FEW if len(labels) < _FEW else N_FOLDS, seed)
    n_fits = folds.max() + 2
    trees_out, kernel_out = np.zeros((2, len(labels), len(labels.genres)))
    heard = np.zeros(len(labels), dtype=np.bool_)
    for fold in range(n_fits - 1):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        known = labels.rows(rest).marks.any(axis=0)
        # A genre with a single group cannot be judged: without it nothing is left to learn from.
        judged = held[(labels.marks[held] <= known).all(axis=1)]
        if len(judged) and known.sum() > 1 and _differ(values[rest]):
            trees, kernel = _halves(columns, values[rest], labels.rows(rest), seed, n_threads)
            trees_out[judged] = trees.logits(values[judged], labels.several)
            kernel_out[judged] = kernel.logits(columns, values[judged])
            heard[judged] = True
        tell((fold + 1) / n_fits)
    rows = np.flatnonzero(heard)
    judged_labels = labels.rows(rows)
    pooling = (
        Pooling.fit(trees_out[rows], kernel_out[rows], judged_labels) if len(rows) else Pooling()
    )
    report = judge(
        labels,
        rows,
        pooling.probabilities(trees_out[rows], kernel_out[rows], labels.several),
    )
    trees, kernel = _halves(columns, values, labels, seed, n_threads)
    tell(1.0)
    return GenreModel(labels.genres, labels.several, columns, trees, kernel, pooling, report)


def _differ(values: NDArray[np.float64]) -> bool:
    """True if any column tells two rows apart, with the precision of the trees."""
    return bool(np.ptp(values.astype(np.float32), axis=0).any())


def _halves(
    columns: Columns,
    values: NDArray[np.float64],
    labels: GenreLabels,
    seed: int,
    n_threads: int,
) -> tuple[GenreTrees, KernelLogistic]:
    return (
        GenreTrees.fit(values, labels, seed, n_threads),
        KernelLogistic.fit(columns, values, labels, seed),
    )
