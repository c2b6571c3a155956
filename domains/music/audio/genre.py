"""GenreModel: CatBoost and two smooth models, pooled and calibrated on artists held out.

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
from domains.music.audio.discriminant import Discriminant
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.genre_report import GenreReport, judge
from domains.music.audio.genre_trees import GenreTrees
from domains.music.audio.kernel_logistic import KernelLogistic

N_FOLDS = 5
"""Folds of the tracks on which pooling is fitted and the model judged; smaller sets take more."""
_FEW = 200
_N_PARTS = 3
_WEIGHTS = (0.05, 5.0)
"""Least and most that a part may weigh."""
_FOLDS_OF_FEW = 20
_TREES_FILE = "genre.cbm"
_KERNEL_FILE = "genre_kernel.safetensors"
_DISCRIMINANT_FILE = "genre_discriminant.safetensors"
_MODEL_FILE = "genre.json"


@dataclass(frozen=True)
class Pooling:
    """How the parts are put together: a weighted sum of their logits, and an offset."""

    weights: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    """One for each part."""
    offset: float = 0.0
    """Counts only where genres do not exclude each other."""

    def probabilities(self, logits: NDArray[np.float64], several: bool) -> NDArray[np.float64]:
        """Pool logits `(n_parts, n, n_genres)`."""
        pooled = np.tensordot(self.weights, logits, axes=1)
        shares: NDArray[np.float64] = (
            expit(pooled + self.offset) if several else softmax(pooled, axis=1)
        )
        return shares

    @classmethod
    def fit(cls, logits: NDArray[np.float64], labels: GenreLabels) -> Pooling:
        """Fit on logits of tracks that the parts had not heard: least log-loss."""
        n_parts = len(logits)

        def log_loss(parameters: NDArray[np.float64]) -> float:
            pooled = np.tensordot(parameters[:n_parts], logits, axes=1)
            if labels.several:
                signed = np.where(labels.marks > 0, 1.0, -1.0) * (pooled + parameters[n_parts])
                return float(np.logaddexp(0.0, -signed).mean())
            return -float((log_softmax(pooled, axis=1) * labels.marks).sum(axis=1).mean())

        start = [*(1 / n_parts for _ in logits), 0.0]
        offset = (-5.0, 5.0) if labels.several else (0.0, 0.0)
        bounds = [*(_WEIGHTS for _ in logits), offset]
        found = minimize(log_loss, np.array(start), bounds=bounds, method="L-BFGS-B").x
        return cls(tuple(float(weight) for weight in found[:n_parts]), float(found[n_parts]))


@dataclass(frozen=True, eq=False)
class GenreParts:
    """Three models of one thing: trees find thresholds, the others are smooth."""

    trees: GenreTrees
    kernel: KernelLogistic
    discriminant: Discriminant

    @classmethod
    def fit(
        cls,
        columns: Columns,
        values: NDArray[np.float64],
        labels: GenreLabels,
        seed: int,
        n_threads: int,
    ) -> GenreParts:
        """Fit all on `(n, n_columns)` values."""
        return cls(
            GenreTrees.fit(values, labels, seed, n_threads),
            KernelLogistic.fit(columns, values, labels, seed),
            Discriminant.fit(columns, values, labels),
        )

    def logits(
        self, columns: Columns, values: NDArray[np.float64], several: bool
    ) -> NDArray[np.float64]:
        """Return `(3, n, n_genres)`."""
        return np.stack(
            [
                self.trees.logits(values, several),
                self.kernel.logits(columns, values),
                self.discriminant.logits(columns, values),
            ]
        )


@dataclass(frozen=True, eq=False)
class GenreModel:
    """A fitted model; made by `fit_genre_model` or `GenreModel.load`, and immutable."""

    genres: tuple[str, ...]
    several: bool
    """True if genres do not exclude each other: then probabilities need not sum to 1."""
    columns: Columns
    parts: GenreParts
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
        logits = self.parts.logits(self.columns, values, self.several)
        return self.pooling.probabilities(logits, self.several)

    def save(self, directory: Path) -> None:
        """Write `genre.cbm`, `genre.json` and two of weights; equal models, equal bytes."""
        self.parts.trees.save(directory / _TREES_FILE)
        save_file(self.parts.kernel.tensors(), directory / _KERNEL_FILE)
        save_file(self.parts.discriminant.tensors(), directory / _DISCRIMINANT_FILE)
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
            directory: holds the files.
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
                GenreParts(
                    GenreTrees.load(directory / _TREES_FILE),
                    KernelLogistic.of(load_file(directory / _KERNEL_FILE)),
                    Discriminant.of(load_file(directory / _DISCRIMINANT_FILE)),
                ),
                Pooling(
                    tuple(described["pooling"]["weights"]), float(described["pooling"]["offset"])
                ),
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
        The model, carrying its `GenreReport`. The report is of the same held-out tracks as the few
        weights of the pooling, and so a little kind; `evaluate_genres` keeps both apart.

    Raises:
        NotEnoughDataError: if all tracks sound the same.
    """
    if not _differ(values):
        raise NotEnoughDataError("the labelled tracks all sound the same: label other ones too")
    tell = progress or (lambda _: None)
    folds = labels.folds(_FOLDS_OF_FEW if len(labels) < _FEW else N_FOLDS, seed)
    n_fits = folds.max() + 2
    logits = np.zeros((_N_PARTS, len(labels), len(labels.genres)))
    heard = np.zeros(len(labels), dtype=np.bool_)
    for fold in range(n_fits - 1):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        known = labels.rows(rest).marks.any(axis=0)
        # A genre with a single group cannot be judged: without it nothing is left to learn from.
        judged = held[(labels.marks[held] <= known).all(axis=1)]
        if len(judged) and known.sum() > 1 and _differ(values[rest]):
            parts = GenreParts.fit(columns, values[rest], labels.rows(rest), seed, n_threads)
            logits[:, judged] = parts.logits(columns, values[judged], labels.several)
            heard[judged] = True
        tell((fold + 1) / n_fits)
    rows = np.flatnonzero(heard)
    judged_labels = labels.rows(rows)
    pooling = Pooling.fit(logits[:, rows], judged_labels) if len(rows) else Pooling()
    report = judge(
        labels,
        rows,
        pooling.probabilities(logits[:, rows], labels.several),
    )
    parts = GenreParts.fit(columns, values, labels, seed, n_threads)
    tell(1.0)
    return GenreModel(labels.genres, labels.several, columns, parts, pooling, report)


def _differ(values: NDArray[np.float64]) -> bool:
    """True if any column tells two rows apart, with the precision of the trees."""
    return bool(np.ptp(values.astype(np.float32), axis=0).any())
