"""Plots of the bench, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def plot_zoo(report: Mapping[str, Any], path: Path) -> None:
    """Quality against latency: AUC with its interval over ms per 100 rows, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    sheet = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(sheet)
    axes = sheet.subplots()
    for row in report["models"]:
        if row["roc_auc"] is None:
            continue
        auc, latency = row["roc_auc"], row["ms_per_100_rows"]
        low, high = row["roc_auc_low"] or auc, row["roc_auc_high"] or auc
        is_ensemble = row["name"].startswith("ensemble")
        colour = "tab:red" if is_ensemble else "tab:blue"
        reach = [[max(auc - low, 0.0)], [max(high - auc, 0.0)]]
        axes.errorbar([latency], [auc], yerr=reach, fmt="o", color=colour, capsize=2, alpha=0.8)
        axes.annotate(
            row["title"], (latency, auc), xytext=(5, 4), textcoords="offset points", fontsize=7
        )
    axes.set_xscale("log")
    axes.set_xlabel("ms per 100 rows, one thread")
    axes.set_ylabel("ROC-AUC on the test block, 95 % over users")
    axes.set_title(f"{report['domain']}: {report['test_rows']:,} test rows, scored once")
    axes.grid(visible=True, alpha=0.3)
    sheet.savefig(path, dpi=150)


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
