"""Reports as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from server.cli.output import stdout

_MISSING = "–"


def show_report(report: Mapping[str, Any]) -> None:
    """Print what `core.publish.report_of` says."""
    evaluation = report["evaluation"]
    data = report["data"]
    stdout.print(
        f"{data['events']:,} events of {data['users']:,} users and {data['objects']:,} objects; "
        f"{evaluation['test_rows']:,} test rows, scored once",
        highlight=False,
    )
    for note in data["notes"]:
        stdout.print(f"· {note}", markup=False, highlight=False)
    stdout.print(figures_table(evaluation))
    blocks = ", ".join(f"{name} {rows:,}" for name, rows in evaluation["blocks"].items())
    stdout.print(f"rows of each fit: {blocks}", highlight=False)
    for profile, stack in evaluation["stacks"].items():
        weights = ", ".join(
            f"{member} {weight:.3f}"
            for member, weight in zip(stack["members"], stack["coefficients"], strict=True)
        )
        intercept = stack["intercept"]
        stdout.print(f"stack {profile}: {weights}, intercept {intercept:.3f}", highlight=False)


def figures_table(evaluation: Mapping[str, Any]) -> Table:
    """One row for each profile, masked context and member."""
    table = Table(title="the latest fifth of the examples")
    table.add_column("")
    for heading in (
        "ROC-AUC",
        "95 % over users",
        "PR-AUC",
        "log-loss",
        "calibration error",
        "per-user AUC",
        "cold users",
        "cold objects",
    ):
        table.add_column(heading, justify="right")
    for profile, figures in evaluation["ensembles"].items():
        table.add_row(f"ensemble, {profile}", *_cells(figures))
    for profile, figures in evaluation["context_masked"].items():
        table.add_row(f"{profile}, context unknown", *_cells(figures))
    for member, auc in evaluation["member_roc_auc"].items():
        table.add_row(f"{member} alone", _number(auc))
    return table


def _cells(figures: Mapping[str, Any]) -> list[str]:
    return [
        _number(figures["roc_auc"]),
        f"{_number(figures['roc_auc_low'])}–{_number(figures['roc_auc_high'])}",
        _number(figures["pr_auc"]),
        _number(figures["log_loss"]),
        _number(figures["calibration_error"]),
        f"{_number(figures['per_user_auc'])} ({figures['per_user_count']:,})",
        _slice(figures["cold_users"]),
        _slice(figures["cold_objects"]),
    ]


def _slice(part: Mapping[str, Any]) -> str:
    return f"{_number(part['roc_auc'])} ({part['rows']:,})"


def _number(value: float | None) -> str:
    return _MISSING if value is None or value != value else f"{value:.4f}"  # noqa: PLR0124 - NaN
