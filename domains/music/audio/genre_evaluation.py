"""How often genre models are right about artists that they have not heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from core.errors import NotEnoughDataError
from domains.music.audio.columns import Columns
from domains.music.audio.genre import fit_genre_model
from domains.music.audio.genre_files import ClipTable
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.genre_report import calibration_error, macro_f1

N_FOLDS = 5
_RESAMPLES = 2_000
_COLUMN_SETS = ("columns", "taggrams", "both")
MODELS = {
    "catboost": "CatBoost",
    "kernel": "kernel logistic regression",
    "discriminant": "linear discriminant",
    "pooled": "all pooled and calibrated",
}
"""What is judged, the last being what serves."""


@dataclass(frozen=True, eq=False)
class _Part:
    """One set of columns of some clips."""

    columns: Columns
    values: NDArray[np.float64]
    labels: GenreLabels


def evaluate_genres(
    table: ClipTable,
    test: ClipTable | None,
    *,
    seed: int,
    repeats: int,
    n_threads: int,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Judge CatBoost, the smooth models and all pooled on three sets of columns.

    Without test clips, columns are judged on the clips of the split "valid" if there are any, after
    learning from those of "train"; taggrams, and columns without such a split, by repeated folds
    that never have an artist on both sides.

    Args:
        table: clips to learn from.
        test: clips to judge on, by artists that the table does not have; None for folds. Clips
            that are in both are not judged.
        seed: of everything drawn.
        repeats: how often the folds are dealt anew.
        n_threads: of the trees.
        progress: called with what is being done and the share done.

    Returns:
        A report for JSON: for each set of columns how it was judged and, for each model, accuracy
        and macro-F1 with 95 % intervals, log-loss, calibration error and a confusion matrix.

    Raises:
        NotEnoughDataError: if there is nothing to learn from or to judge on.
    """
    tell = progress or (lambda _, __: None)
    if test is not None:
        test = test.without(table.names)  # what was learnt from proves nothing
        if not test.names:
            raise NotEnoughDataError(
                "all clips of the second folder are in the first too: judge on others"
            )
    sets = []
    for name in _COLUMN_SETS:
        part = _part(table, name)
        judged = None if test is None else _part(test, name)
        if part is None or (test is not None and judged is None):
            continue  # no taggrams
        step = partial(tell, f"genre from {name}")
        if judged is not None:
            judged = _comparable(part, judged)
            how = "fitted on all clips of the first folder, judged on the second"
            runs = [_fit_and_judge(part, judged, seed, n_threads, step)]
            shown = [judged]
        elif name == "columns" and {"train", "valid"} <= set(table.splits):
            learn, judge_on = (_of_split(part, table, split) for split in ("train", "valid"))
            how = "fitted on the clips of split train, judged on those of split valid"
            runs = [_fit_and_judge(learn, judge_on, seed, n_threads, step)]
            part, shown = learn, [judge_on]
        else:
            by = "artist" if table.artists_named else "runs of neighbouring file numbers"
            n_folds = min(N_FOLDS, len(set(part.labels.groups)))
            how = f"{repeats} times {n_folds} folds that keep {by} together"
            runs = [
                _folds(part, seed + i, n_threads, _share(step, i, repeats)) for i in range(repeats)
            ]
            shown = [part] * repeats
        sets.append(
            {
                "columns": name,
                "n_columns": len(part.columns.names),
                "how": how,
                "n_fitted": len(part.labels),
                "n_judged": len(shown[0].labels),
                "models": [
                    {
                        "name": model,
                        "title": title_,
                        **_figures(shown[0].labels, [run[model] for run in runs], seed),
                    }
                    for model, title_ in MODELS.items()
                ],
            }
        )
    return {"genres": list(table.labels.genres), "seed": seed, "sets": sets}


def _part(table: ClipTable, name: str) -> _Part | None:
    if name == "columns":
        values, columns = table.features, table.columns.only(tags=False)
        rows = np.arange(len(table.names))
    else:
        if not len(table.tagged):
            return None
        rows = table.tagged
        both = np.hstack([table.features, table.tags])
        columns = table.columns if name == "both" else table.columns.only(tags=True)
        values = both if name == "both" else table.tags
    return _Part(columns, values[rows], table.labels.rows(rows))


def _of_split(part: _Part, table: ClipTable, split: str) -> _Part:
    rows = np.flatnonzero(np.array(table.splits) == split)
    return replace(part, values=part.values[rows], labels=part.labels.rows(rows))


def _comparable(learn: _Part, judged: _Part) -> _Part:
    """What is judged, among the genres that were learnt."""
    if learn.columns != judged.columns:
        differing = set(learn.columns.names) ^ set(judged.columns.names)
        raise NotEnoughDataError(
            f"the two folders describe clips by other columns ({', '.join(sorted(differing))}): "
            "describe both in the same way"
        )
    unknown = set(judged.labels.genres) - set(learn.labels.genres)
    if unknown:
        raise NotEnoughDataError(
            f"nothing to learn {', '.join(sorted(unknown))} from: label clips of these genres"
        )
    return replace(judged, labels=replace(judged.labels, genres=learn.labels.genres))


def _fit_and_judge(
    learn: _Part,
    judged: _Part,
    seed: int,
    n_threads: int,
    progress: Callable[[float], None],
) -> dict[str, NDArray[np.float64]]:
    """Probabilities `(n_judged, n_genres)` by model."""
    model = fit_genre_model(learn.columns, learn.values, learn.labels, seed, n_threads, progress)
    logits = model.parts.logits(model.columns, judged.values, several=False)
    return {
        **dict(zip(MODELS, softmax(logits, axis=2), strict=False)),
        "pooled": model.predict_proba(judged.values),
    }


def _folds(
    part: _Part, seed: int, n_threads: int, progress: Callable[[float], None]
) -> dict[str, NDArray[np.float64]]:
    out = {name: np.zeros_like(part.labels.marks) for name in MODELS}
    folds = part.labels.folds(N_FOLDS, seed)
    n_folds = int(folds.max()) + 1
    for fold in range(n_folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        learn = replace(part, values=part.values[rest], labels=part.labels.rows(rest))
        judged = replace(part, values=part.values[held], labels=part.labels.rows(held))
        share = _share(progress, fold, n_folds)
        found = _fit_and_judge(learn, judged, seed, n_threads, share)
        for name, probabilities in found.items():
            out[name][held] = probabilities
    return out


def _share(progress: Callable[[float], None], i: int, n: int) -> Callable[[float], None]:
    """The progress of the i-th of n equal parts."""
    return lambda done: progress((i + done) / n)


def _figures(
    labels: GenreLabels, runs: Sequence[NDArray[np.float64]], seed: int
) -> Mapping[str, Any]:
    """Figures of one model; several runs over the same clips are averaged."""
    truth = labels.marks.argmax(axis=1)
    guesses = [run.argmax(axis=1) for run in runs]
    right = np.mean([guess == truth for guess in guesses], axis=0)
    accuracy = _interval(labels, lambda rows: float(right[rows].mean()), seed)
    f1 = _interval(
        labels,
        lambda rows: float(np.mean([macro_f1(labels.rows(rows), run[rows]) for run in runs])),
        seed,
        resamples=_RESAMPLES // 10,
    )
    n_genres = len(labels.genres)
    confusion = np.zeros((n_genres, n_genres))
    for guess in guesses:
        np.add.at(confusion, (truth, guess), 1.0 / len(runs))
    likelihoods = [np.maximum((run * labels.marks).sum(axis=1), 1e-12) for run in runs]
    return {
        "accuracy": accuracy[0],
        "accuracy_low": accuracy[1],
        "accuracy_high": accuracy[2],
        "macro_f1": f1[0],
        "macro_f1_low": f1[1],
        "macro_f1_high": f1[2],
        "log_loss": float(np.mean([-np.log(likelihood).mean() for likelihood in likelihoods])),
        "calibration_error": float(
            np.mean(
                [
                    calibration_error(guess == truth, run.max(axis=1))
                    for guess, run in zip(guesses, runs, strict=True)
                ]
            )
        ),
        "confusion": confusion.tolist(),
    }


def _interval(
    labels: GenreLabels,
    figure: Callable[[NDArray[np.int_]], float],
    seed: int,
    resamples: int = _RESAMPLES,
) -> tuple[float, float, float]:
    """The figure with its 95 % interval, by drawing whole groups anew."""
    random = np.random.default_rng(seed)
    _, group_of = np.unique(np.array(labels.groups), return_inverse=True)
    members = [np.flatnonzero(group_of == group) for group in range(group_of.max() + 1)]
    drawn = [
        figure(
            np.concatenate([members[i] for i in random.integers(len(members), size=len(members))])
        )
        for _ in range(resamples)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return figure(np.arange(len(labels))), float(low), float(high)
