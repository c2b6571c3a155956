"""Plots of the bench, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LABEL_WIDTH = 130.0
LABEL_HEIGHT = 10.0
"""Of a model's label, in pixels of the sheet before it is saved."""


def plot_zoo(report: Mapping[str, Any], path: Path) -> None:
    """Quality against latency: AUC with its interval over ms per 100 rows, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    sheet = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(sheet)
    axes = sheet.subplots()
    rows = [row for row in report["models"] if row["roc_auc"] is not None]
    for row in rows:
        auc, latency = row["roc_auc"], row["ms_per_100_rows"]
        low, high = row["roc_auc_low"] or auc, row["roc_auc_high"] or auc
        colour = "tab:red" if row["name"].startswith("ensemble") else "tab:blue"
        reach = [[max(auc - low, 0.0)], [max(high - auc, 0.0)]]
        axes.errorbar([latency], [auc], yerr=reach, fmt="o", color=colour, capsize=2, alpha=0.4)
    axes.set_xscale("log")
    axes.set_xlabel("ms per 100 rows, one thread")
    axes.set_ylabel("ROC-AUC on the test block, 95 % over users")
    axes.set_title(f"{report['domain']}: {report['test_rows']:,} test rows, scored once")
    axes.grid(visible=True, alpha=0.3)
    places: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda row: row["roc_auc"]):
        point = axes.transData.transform((row["ms_per_100_rows"], row["roc_auc"]))
        places.append(free_place((point[0] + 7.0, point[1] + 3.0), places))
        across, up = axes.transAxes.inverted().transform(places[-1])
        axes.annotate(
            row["title"],
            (row["ms_per_100_rows"], row["roc_auc"]),
            xytext=(float(across), float(up)),
            textcoords="axes fraction",
            fontsize=7,
            arrowprops={"arrowstyle": "-", "alpha": 0.3, "linewidth": 0.5},
        )
    sheet.savefig(path, dpi=150)


def free_place(
    wanted: tuple[float, float], taken: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """The lowest place above the wanted one at which a label covers none of the others."""
    x, y = wanted
    while any(abs(x - left) < LABEL_WIDTH and abs(y - low) < LABEL_HEIGHT for left, low in taken):
        y += LABEL_HEIGHT / 4
    return x, y


def plot_leaks(report: Mapping[str, Any], path: Path) -> None:
    """One bar a rung of the ladder: AUC with its interval, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    rungs = report["rungs"][::-1]
    sheet = Figure(figsize=(9, 1.2 + 0.5 * len(rungs)), layout="constrained")
    FigureCanvasAgg(sheet)
    axes = sheet.subplots()
    for place, rung in enumerate(rungs):
        auc = rung["roc_auc"]
        low, high = rung["roc_auc_low"] or auc, rung["roc_auc_high"] or auc
        colour = "tab:green" if rung["name"] == "causal" else "tab:red"
        reach = [[max(auc - low, 0.0)], [max(high - auc, 0.0)]]
        axes.barh([place], [auc], xerr=reach, color=colour, alpha=0.8, capsize=3)
        axes.annotate(
            f"{auc:.4f}", (0.5, place), xytext=(4, -3), textcoords="offset points", color="white"
        )
    axes.set_yticks(range(len(rungs)), [rung["title"] for rung in rungs])
    axes.set_xlim(min(0.5, *(rung["roc_auc"] for rung in rungs)), 1.0)
    axes.set_xlabel("ROC-AUC of the same LightGBM, 95 % over users")
    axes.set_title(f"What leaks fake: {report['domain']}")
    sheet.savefig(path, dpi=150)
