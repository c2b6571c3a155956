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
    if "content" in data:
        content = data["content"]
        stdout.print(
            f"content ({content['name']}, {content['size']} numbers) of {content['objects']:,} "
            "objects",
            highlight=False,
        )
    for note in data["notes"]:
        stdout.print(f"· {note}", markup=False, highlight=False)
    stdout.print(figures_table(evaluation))
    blocks = ", ".join(f"{name} {rows:,}" for name, rows in evaluation["blocks"].items())
    stdout.print(f"rows of each fit: {blocks}", highlight=False)
    if evaluation["inner_by_user"]:
        stdout.print(
            "· the horizon takes too much of logs of this kind to wait for labels between train, "
            "tune and stack: these are blocks of users; before the test block they do wait",
            highlight=False,
        )
    for profile, stack in evaluation["stacks"].items():
        weights = ", ".join(
            f"{member} {weight:.3f}"
            for member, weight in zip(stack["members"], stack["coefficients"], strict=True)
        )
        intercept = stack["intercept"]
        stdout.print(f"stack {profile}: {weights}, intercept {intercept:.3f}", highlight=False)


def show_rank(rank: Mapping[str, Any]) -> None:
    """Print what a manifest says of the rank task, or why the bundle has none."""
    if "none" in rank:
        said = f"no rank task, so lists are ranked as Score does: {rank['none']}"
    else:
        blocks = ", ".join(f"{name} {rows:,}" for name, rows in rank["blocks"].items())
        said = f"rank task of {rank['lists']:,} lists of the past; rows of each fit: {blocks}"
    stdout.print(said, markup=False, highlight=False)


ROWS = (
    ("ROC-AUC", "roc_auc"),
    ("PR-AUC", "pr_auc"),
    ("log-loss", "log_loss"),
    ("calibration error", "calibration_error"),
    ("per-user AUC", "per_user_auc"),
)
"""Heading and key of the plain figures."""


def figures_table(evaluation: Mapping[str, Any]) -> Table:
    """One column for each profile and for its masked context, one row a figure."""
    table = Table(title="the latest fifth of the examples")
    table.add_column("")
    columns = []
    for name, what in (("ensembles", ""), ("context_masked", ",\nno context")):
        for profile, figures in evaluation[name].items():
            table.add_column(f"{profile}{what}", justify="right")
            columns.append(figures)
    for heading, key in ROWS:
        table.add_row(heading, *(_number(figures[key]) for figures in columns))
        if key == "roc_auc":
            table.add_row("  95 % over users", *(_interval(figures) for figures in columns))
    for heading, key in (("cold users", "cold_users"), ("cold objects", "cold_objects")):
        table.add_row(f"ROC-AUC, {heading}", *(_number(f[key]["roc_auc"]) for f in columns))
        table.add_row("  rows", *(f"{f[key]['rows']:,}" for f in columns))
    for member, auc in evaluation["member_roc_auc"].items():
        table.add_row(f"ROC-AUC, {member} alone", _number(auc))
    return table


def _interval(figures: Mapping[str, Any]) -> str:
    low, high = figures["roc_auc_low"], figures["roc_auc_high"]
    return _MISSING if low is None else f"{low:.3f}–{high:.3f}"


def _number(value: float | None) -> str:
    return _MISSING if value is None or value != value else f"{value:.4f}"  # noqa: PLR0124 - NaN


def show_library_update(result: Mapping[str, Any]) -> None:
    """Print what `encore genre index` did."""
    stdout.print(f"{result['library']} holds {result['tracks']:,} tracks", highlight=False)
    table = Table()
    table.add_column("files")
    table.add_column("number", justify="right")
    for name in ("heard", "unchanged", "removed", "unlisted"):
        table.add_row(name, f"{result[name]:,}")
    table.add_row("failed", f"{len(result['failed']):,}")
    stdout.print(table)
    for failure in result["failed"]:
        stdout.print(f"· {failure['file']}: {failure['reason']}", markup=False, highlight=False)
    if "content_vectors" in result:
        stdout.print(f"wrote {result['content_vectors']:,} content vectors", highlight=False)


def show_genre_bench(report: Mapping[str, Any]) -> None:
    """Print what `bench_genre` measured."""
    table = Table(
        title=f"clips of {report['clip_seconds']} s, bytes to answer", title_justify="left"
    )
    table.add_column("on one core")
    table.add_column("median ms", justify="right")
    for name, median in report["by_file"].items():
        table.add_row(name, f"{median:.0f}")
    table.add_row("all", f"{report['p50_ms']:.0f} (95th percentile {report['p95_ms']:.0f})")
    stdout.print(table)
    stdout.print(
        f"{report['per_second_one_core']:.1f} clips a second on one core, "
        f"{report['per_second_two_cores']:.1f} on two ({report['two_cores_over_one']:.2f} times)",
        highlight=False,
    )
    if report["memory_mb"]:
        stdout.print(
            f"memory of server and decoders: {report['memory_settled_mb']:,.0f} MB after a fifth "
            f"of {report['many']:,} clips, {report['memory_end_mb']:,.0f} MB at the end",
            highlight=False,
        )
