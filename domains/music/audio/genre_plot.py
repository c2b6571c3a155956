"""Pictures of what a genre model takes for what, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def plot_confusion(report: Mapping[str, Any], path: Path) -> None:
    """One confusion matrix for each set of columns, of the model that serves, as PNG.

    Args:
        report: what `evaluate_genres` returns.
        path: the PNG; replaced if it is there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    genres = report["genres"]
    sets = report["sets"]
    side = 1.6 + 0.42 * len(genres)
    sheet = Figure(figsize=(side * len(sets), side + 0.4), layout="constrained")
    FigureCanvasAgg(sheet)
    for place, judged in zip(sheet.subplots(1, len(sets), squeeze=False)[0], sets, strict=True):
        model = judged["models"][-1]
        counts = np.array(model["confusion"])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
        place.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        for row, column in np.argwhere(counts >= 0.05):
            colour = "white" if shares[row, column] > 0.5 else "black"
            text = f"{counts[row, column]:.0f}" if counts[row, column] >= 0.5 else "·"
            place.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
        place.set_xticks(range(len(genres)), genres, rotation=60, ha="right", fontsize=8)
        place.set_yticks(range(len(genres)), genres, fontsize=8)
        place.set_xlabel("taken for")
        place.set_ylabel("is")
        place.set_title(
            f"{judged['columns']}: {model['accuracy']:.3f} of {judged['n_judged']} clips right",
            fontsize=10,
        )
    sheet.savefig(path, dpi=150)
