"""`encore evaluate --what policy`: what the served lists earned, and what others would have."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.table import Table

from core.domain import Domain
from core.errors import NotEnoughDataError
from core.policy.estimators import Estimate
from core.policy.report import PolicyReport, report_policy
from core.policy.rewards import rewarded
from server.cli.output import print_json, stdout
from server.store import open_store


@dataclass(frozen=True)
class PolicyQuestion:
    """What is asked of a log of lists."""

    database_url: str
    exploration: float
    """Rate of the target policy."""
    window_s: float
    """How long after it was shown an item may earn its reward."""
    clip: float | None
    """Importance weights are cut to this."""
    seed: int


def evaluate_policy(domain: Domain, question: PolicyQuestion, *, as_json: bool) -> None:
    """Read the answered lists and their feedback, and print the report.

    Raises:
        NotEnoughDataError: no list was shown long enough ago.
    """
    closed_s = time.time() - question.window_s
    with open_store(question.database_url) as store:
        shown = [page for page in store.policy_log.shown(domain.name) if page.slots]
        closed = [page for page in shown if page.shown_at_s <= closed_s]
        slots = rewarded(closed, store.policy_log.responses(domain.name), question.window_s)
    if not closed:
        raise NotEnoughDataError(
            f"the store has {len(shown)} lists of {domain.name}, none of them older than "
            f"{question.window_s / 3600:g} h: wait, or shorten --window-hours"
        )
    report = report_policy(
        slots, exploration=question.exploration, clip=question.clip, seed=question.seed
    )
    still_open = len(shown) - len(closed)
    if as_json:
        told = {"domain": domain.name, "window_s": question.window_s, "open_lists": still_open}
        print_json(told | report.to_json())
        return
    _show(report, still_open)


def _show(report: PolicyReport, still_open: int) -> None:
    stdout.print(
        f"{report.lists:,} lists of {report.users:,} users, {report.slots:,} items shown, "
        f"{report.explored:.1%} of them explored",
        highlight=False,
    )
    if still_open:
        stdout.print(f"· {still_open:,} lists are too new to be judged", highlight=False)
    table = Table(title="mean reward of a shown item, 95 % over users")
    for heading in ("policy", "estimator"):
        table.add_column(heading)
    for heading in ("reward", "interval", "worth slots"):
        table.add_column(heading, justify="right")
    table.add_row("as logged", "mean", *_cells(report.logged), f"{report.slots:,}")
    wanted = f"exploration {report.exploration:g}"
    for target in report.targets:
        named = {"IPS": target.ips, "SNIPS": target.snips, "doubly robust": target.doubly_robust}
        for name, estimate in named.items():
            if estimate is not None:
                who = f"{wanted}, each {target.unit}"
                table.add_row(who, name, *_cells(estimate), f"{target.effective_size:,.0f}")
    stdout.print(table)
    for note in report.notes:
        stdout.print(f"· {note}", markup=False, highlight=False)


def _cells(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.4f}", f"{estimate.low:.4f} to {estimate.high:.4f}"
