"""How many windows of a sound are worth hearing: `python -m benchmarks.tagger_windows DIR`.

The folder is one that `encore genre evaluate` reads: a CSV of features and an npz with the taggrams
of whole clips. Genres are learnt from the mean tags of so many evenly spread windows of each clip,
and judged by folds that keep an artist together, dealt anew many times. The models are the two
smooth ones of `GenreModel`, and both pooled as it does; its trees would take hours.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from domains.music.audio.columns import Columns
from domains.music.audio.discriminant import Discriminant
from domains.music.audio.genre import Pooling
from domains.music.audio.genre_evaluation import N_FOLDS
from domains.music.audio.genre_files import read_clip_table
from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.kernel_logistic import KernelLogistic
from domains.music.audio.sound import N_WINDOWS
from domains.music.audio.tagger.network import N_FRAMES
from domains.music.audio.tagger.tagger import window_starts

COUNTS = (1, 2, 3, 4, 6, 10)
MODELS = ("kernel", "discriminant", "pooled")
_RESAMPLES = 2_000


def evenly_spread(n_windows: int, count: int) -> NDArray[np.int_]:
    """Windows of a taggram that are next to those the tagger hears: `(count,)` or all."""
    starts = window_starts(n_windows * N_FRAMES, count)
    nearest: NDArray[np.int_] = np.rint(starts / N_FRAMES).astype(np.int_)
    return nearest


def mean_tags(
    taggrams: Sequence[NDArray[np.float64]], count: int | None = None
) -> NDArray[np.float64]:
    """Return `(n_clips, n_tags)`, means over so many windows of each taggram; None for all."""
    return np.array([t[evenly_spread(len(t), count or len(t))].mean(axis=0) for t in taggrams])


def held_out(
    columns: Columns, values: NDArray[np.float64], labels: GenreLabels, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Probabilities `(n, n_genres)` by model, each clip's by models that had not heard it."""
    logits = np.zeros((2, *labels.marks.shape))
    folds = labels.folds(N_FOLDS, seed)
    for fold in range(folds.max() + 1):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        kernel = KernelLogistic.fit(columns, values[rest], labels.rows(rest), seed)
        discriminant = Discriminant.fit(columns, values[rest], labels.rows(rest))
        logits[0, held] = kernel.logits(columns, values[held])
        logits[1, held] = discriminant.logits(columns, values[held])
    pooled = Pooling.fit(logits, labels).probabilities(logits, several=False)
    return dict(zip(MODELS, (*softmax(logits, axis=2), pooled), strict=True))


def compare(
    columns: Columns,
    features: NDArray[np.float64],
    taggrams: Sequence[NDArray[np.float64]],
    labels: GenreLabels,
    *,
    deals: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Judge every number of windows on the same deals of the folds.

    Args:
        columns: those of the features, then the tags.
        features: `(n, n_features)`; none of them to judge the tags alone.
        taggrams: `(n_windows, n_tags)` of each clip.
        labels: of the same clips.
        deals: how often the folds are dealt.
        seed: of everything drawn.
        progress: called with the share done.

    Returns:
        For each number of windows, None being all, and each model: accuracy and log-loss, means
        over deals, and how far they are above those with as many windows as are served, with a
        95 % interval from drawing whole artists anew.
    """
    truth = labels.marks.argmax(axis=1)
    rows = np.arange(len(truth))
    right: dict[tuple[int | None, str], NDArray[np.float64]] = {}
    loss: dict[tuple[int | None, str], NDArray[np.float64]] = {}
    steps = [(count, deal) for count in (None, *COUNTS) for deal in range(deals)]
    for step, (count, deal) in enumerate(steps, start=1):
        values = np.hstack([features, mean_tags(taggrams, count)])
        for model, shares in held_out(columns, values, labels, seed + deal).items():
            key = count, model
            hits, losses = shares.argmax(axis=1) == truth, -np.log(shares[rows, truth])
            right[key] = right.get(key, np.zeros(len(truth))) + hits / deals
            loss[key] = loss.get(key, np.zeros(len(truth))) + losses / deals
        progress(step / len(steps))
    interval = partial(_interval, labels.groups, seed)
    return [
        {
            "windows": count,
            "model": model,
            "accuracy": float(right[count, model].mean()),
            "accuracy_above_served": interval(right[count, model] - right[N_WINDOWS, model]),
            "log_loss": float(loss[count, model].mean()),
            "log_loss_above_served": interval(loss[count, model] - loss[N_WINDOWS, model]),
        }
        for count in (*COUNTS, None)
        for model in MODELS
    ]


def _interval(groups: Sequence[str], seed: int, values: NDArray[np.float64]) -> list[float]:
    """Mean of `(n,)` values, and what 95 % of means over groups drawn anew lie between."""
    _, group_of = np.unique(np.array(groups), return_inverse=True)
    sums, sizes = np.bincount(group_of, values), np.bincount(group_of)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return [float(values.mean()), *map(float, np.quantile(means, [0.025, 0.975]))]


def read_taggrams(folder: Path, names: Sequence[str]) -> list[NDArray[np.float64]]:
    """The taggram of each named clip, from the folder's npz of `X` and `IDS`."""
    (path,) = folder.glob("*.npz")
    with np.load(path, allow_pickle=False) as stored:
        frames, owners = stored["X"].astype(np.float64), stored["IDS"]
    bases = np.array([str(owner).rsplit("/", 1)[-1] for owner in owners])
    return [frames[bases == name] for name in names]


def report(
    folder: Path, deals: int, seed: int, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    """Judge on tags alone and beside the features of the CSV."""
    table = read_clip_table(folder)
    rows = table.tagged
    names, labels = [table.names[row] for row in rows], table.labels.rows(rows)
    taggrams = read_taggrams(folder, names)
    features = table.features[rows]
    sets = {
        "tags": (table.columns.only(tags=True), features[:, :0]),
        "both": (table.columns, features),
    }
    return {
        "clips": len(names),
        "groups": len(set(labels.groups)),
        "deals": deals,
        "seed": seed,
        "sets": {
            name: compare(
                columns, seen, taggrams, labels,
                deals=deals, seed=seed, progress=partial(progress, name),
            )
            for name, (columns, seen) in sets.items()
        },
    }  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """Print tables."""
    print(
        f"{found['clips']} clips of {found['groups']} artists, means over {found['deals']} deals of"
        f" {N_FOLDS} folds; above the {N_WINDOWS} windows served, with 95 % intervals"
    )
    for name, rows in found["sets"].items():
        print(f"\n{name:8} windows  accuracy  above served               log-loss  above served")
        for row in rows:
            accuracy, loss = (
                "{:+.3f} ({:+.3f} to {:+.3f})".format(*row[f"{figure}_above_served"])
                for figure in ("accuracy", "log_loss")
            )
            print(
                f"  {row['model']:12} {row['windows'] or 'all'!s:>4}  {row['accuracy']:.3f}     "
                f"{accuracy}   {row['log_loss']:.3f}     {loss}"
            )


def _tell(what: str, share: float) -> None:
    print(f"\r{what}: {share:4.0%}", end="\n" if share == 1 else "", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a CSV of features and an npz of taggrams")
    parser.add_argument("--deals", type=int, default=20, help="how often the folds are dealt")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = report(arguments.folder, arguments.deals, arguments.seed, _tell)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


if __name__ == "__main__":
    main()
