"""The zoo's table: plain values and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from core.zoo.protocol import Measured, Plan
from core.zoo.run import FULL, ZooRun

MISSING = "–"

COLUMNS = (
    ("ROC-AUC", "roc_auc"),
    ("PR-AUC", "pr_auc"),
    ("F1", "f1"),
    ("accuracy", "accuracy"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("log-loss", "log_loss"),
    ("calibration error", "calibration_error"),
)
"""Heading and key of the figures."""

NOTES = (
    "Test block scored once by each model, after it was refitted on all labels known before it.",
    "Rounds and epochs were chosen on tune and repeated; methods without them were fitted on the "
    "train block for the AUC on tune.",
    "Fitted rows are the latest of all matured rows: slow methods take fewer.",
    "Of the ensemble, tune AUC is that of the mean of its members' logits (its stack is fitted on "
    "a block after tune); its seconds are those of all three fits of its members, its peak that "
    "of the one process that fitted both profiles.",
    "Inputs: members and nets take the columns of the state. The other classical models take "
    "numbers, one column a code where a field shows few codes, else the logarithm of the code's "
    "share; standardised, unknown numbers at the mean, but as unknown for HistGradientBoosting, "
    "XGBoost and CatBoost, which also takes categories as such. SVM margins become probabilities "
    "by Platt's curve on the latest fifth of the fitted rows, which the SVM does not see.",
    "Fit seconds are of the choice and the refit together. Peak memory is the largest resident "
    "memory, libraries and read pages of the example table included, of a process that fits "
    "nothing else, until its fit was done.",
    "ms per 100 rows: from feature rows of different users to probabilities, one thread, median.",
    "F1, accuracy, precision and recall count a probability of 0.5 or more as a return.",
    "The rival is the model that is best on tune, the ensemble left out. Differences are AUC of "
    "the full ensemble less that of the row, with the paired 95 % bootstrap interval over users.",
)


BY_USER = (
    "Train and tune are blocks of users, as this log asks; the test block is of their latest "
    "events and waits for labels."
)
"""Said of logs with `LabelRule.inner_by_user`."""


def zoo_report(domain: str, run: ZooRun, plan: Plan, notes: Sequence[str]) -> dict[str, Any]:
    """Everything that a run found, as plain values."""
    return {
        "domain": domain,
        "seed": plan.seed,
        "recipe": asdict(plan.recipe),
        "settings": asdict(plan.settings),
        "examples": run.examples,
        "blocks": run.blocks,
        "inner_by_user": run.inner_by_user,
        "test_rows": run.test_rows,
        "notes": [*notes, *([BY_USER] if run.inner_by_user else []), *NOTES],
        "rival": run.rival,
        "taken_from_an_earlier_run": run.kept,
        "models": [_row(row, run) for row in run.rows],
    }


def _row(row: Measured, run: ZooRun) -> dict[str, Any]:
    content = {k: v for k, v in asdict(row).items() if k not in ("figures", "probabilities")}
    difference = run.differences.get(row.name)
    return {
        **content,
        **row.figures,
        "ensemble_ahead": None if difference is None else difference.to_json(),
    }


def zoo_markdown(report: Mapping[str, Any]) -> str:
    """The report as one Markdown table with its notes, the best on test first."""
    headings = [
        "model", "ROC-AUC", "95 % over users", "ensemble ahead by", *(h for h, _ in COLUMNS[1:]),
        "tune AUC", "fitted rows", "fit s", "peak GB", "ms per 100",
    ]  # fmt: skip
    ordered = sorted(report["models"], key=lambda row: -(row["roc_auc"] or 0.0))
    lines = [_line(headings), "|---" * len(headings) + "|"]
    for row in ordered:
        marks = " (rival)" if row["name"] == report["rival"] else ""
        cells = [
            f"{row['title']}{marks}",
            figure(row["roc_auc"]),
            span(row["roc_auc_low"], row["roc_auc_high"]),
            MISSING if row["name"] == FULL else ahead(row["ensemble_ahead"]),
            *(figure(row[key]) for _, key in COLUMNS[1:]),
            figure(row["tune_auc"]),
            f"{row['fitted_rows']:,}",
            f"{row['fit_s']:.1f}",
            f"{row['peak_bytes'] / 1e9:.2f}",
            f"{row['ms_per_100_rows']:.2f}",
        ]
        lines.append(_line(cells))
    sizes = ", ".join(f"{name} {rows:,}" for name, rows in report["blocks"].items())
    said = [
        f"{report['examples']:,} examples of {report['domain']}, seed {report['seed']}; "
        f"rows: {sizes}; {report['test_rows']:,} test rows.",
        *report["notes"],
    ]
    return "\n".join([*lines, "", *(f"- {note}" for note in said)]) + "\n"


def figure(value: float | None) -> str:
    """Four digits, or a dash where undefined."""
    return MISSING if value is None else f"{value:.4f}"


def span(low: float | None, high: float | None) -> str:
    """An interval of AUC."""
    return MISSING if low is None or high is None else f"{low:.3f}–{high:.3f}"


def ahead(difference: Mapping[str, float | None] | None) -> str:
    """A paired difference with its interval."""
    if difference is None or difference["low"] is None or difference["high"] is None:
        return MISSING
    return (
        f"{difference['difference']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f})"
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
