"""What a judgement of lists says: plain values, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.lists.baselines.tuning import TunedBaseline
from core.lists.judging import CANDIDATE_DEPTHS, DEPTHS, MAIN_FIGURE, Judgement
from core.lists.list_figures import LIST_FIGURES
from core.lists.metrics import ACCURACY, paired_means, plain
from core.lists.protocol import DAY_S, Mode, TargetKind
from core.lists.sources import SourceRecall
from core.log import ClockKind

MISSING = "–"

KIND_TITLES = {
    TargetKind.NEXT: "the first visit after the cut",
    TargetKind.HORIZON: "everything within the horizon after the cut",
}
SESSION_TITLES = {
    TargetKind.NEXT: "the next session",
    TargetKind.HORIZON: "the next five sessions",
}

NOTES = (
    "Users had something before the cut and took something after it; in each mode those count who "
    "took something that counts there. repeat: lists and targets are of objects that the user had "
    "before; explore: of objects the user never had.",
    "Targets that nobody had before the cut stay among the targets and in the ideal list.",
    "Baselines were tuned on an earlier cut of the history, by NDCG@10 of its next visit, for each "
    "mode apart; where they have nothing to say, their lists go on with what is popular.",
    "Novelty in bits; diversity: share of pairs of other values of the main facet; serendipity: "
    "share of places with a target that the popularity list lacks; popularity: users who had a "
    "listed object.",
    "Coverage: share of all objects of the log, those that nobody had before the cut included.",
    "Differences and ratios with 95 % intervals of a paired bootstrap over users.",
)

OF_SESSIONS = (
    "History is the same share of each user's sessions, rounded down to whole sessions; the "
    "session under way at the cut is wholly the next."
)
"""Said of logs on a clock of sessions."""


def list_report(
    domain: str,
    judgement: Judgement,
    tuned: Sequence[TunedBaseline],
    *,
    seed: int,
) -> dict[str, Any]:
    """Everything that a judgement found, as plain values.

    Recommenders that are no baselines are compared with the best of the baselines, by MAIN_FIGURE
    of the same kind and mode.
    """
    task = judgement.task
    log = task.log
    baselines = [baseline.lists.name for baseline in tuned]
    return {
        "domain": domain,
        "seed": seed,
        "cut": {
            "cut_s": task.cut_s,
            "days_after_first_event": (task.cut_s - float(log.time_s[0])) / DAY_S,
            "history_events": len(task.history),
            "users": len(task.users),
        },
        "notes": [
            *log.notes,
            *([OF_SESSIONS] if log.clock is ClockKind.SESSIONS else []),
            *NOTES,
        ],
        "targets": [_targets(judgement, kind) for kind in TargetKind],
        "figures": [
            {"kind": kind.value, "mode": mode.value, "recommenders": _means(judgement, kind, mode)}
            for kind, mode in judgement.judged
        ],
        "comparisons": [
            comparison
            for kind, mode in judgement.judged
            for comparison in _comparisons(judgement, baselines, kind, mode, seed)
        ],
        "settings": [
            {"baseline": baseline.lists.name, "mode": mode.value, **plain(_choice(baseline, mode))}
            for baseline in tuned
            for mode in baseline.choices
        ],
    }


def _targets(judgement: Judgement, kind: TargetKind) -> dict[str, Any]:
    task = judgement.task
    of_sessions = task.log.clock is ClockKind.SESSIONS
    all_targets = task.targets[kind]
    known = np.zeros(len(task.log.objects), bool)
    known[task.log.object_index[task.history[task.visits >= 0]]] = True
    modes = {mode: all_targets.within(mode).sizes for mode in Mode}
    return {
        "kind": kind.value,
        "title": (SESSION_TITLES if of_sessions else KIND_TITLES)[kind],
        "users": {mode.value: int((sizes > 0).sum()) for mode, sizes in modes.items()},
        "per_user": {
            mode.value: float(sizes[sizes > 0].mean()) if sizes.any() else None
            for mode, sizes in modes.items()
        },
        "never_had_by_anyone": float(1.0 - known[all_targets.objects].mean())
        if len(all_targets.objects)
        else None,
    }


def _means(judgement: Judgement, kind: TargetKind, mode: Mode) -> list[dict[str, Any]]:
    rows = []
    for name, judged in judgement.judged[kind, mode].items():
        segments = {
            segment: judged.mean(MAIN_FIGURE, users)
            for segment, users in judgement.segments.items()
        }
        rows.append(
            plain(
                {
                    "name": name,
                    **{figure: judged.mean(figure) for figure in judged.by_user},
                    **{f"coverage@{depth}": share for depth, share in judged.coverage.items()},
                    "segments": {MAIN_FIGURE: segments},
                }
            )
        )
    return rows


def _comparisons(
    judgement: Judgement, baselines: Sequence[str], kind: TargetKind, mode: Mode, seed: int
) -> list[dict[str, Any]]:
    judged = judgement.judged[kind, mode]
    if not baselines:
        return []
    rival = judgement.best_of(baselines, kind, mode)
    return [
        {
            "kind": kind.value,
            "mode": mode.value,
            "name": name,
            "rival": rival,
            "figure": MAIN_FIGURE,
            **paired_means(
                own.by_user[MAIN_FIGURE], judged[rival].by_user[MAIN_FIGURE], seed=seed
            ).to_json(),
        }
        for name, own in judged.items()
        if name not in baselines
    ]


def _choice(baseline: TunedBaseline, mode: Mode) -> dict[str, Any]:
    choice = baseline.choices[mode]
    chosen = {
        name: "never" if value == float("inf") else value for name, value in choice.settings.items()
    }
    return {"settings": chosen, "tuned_ndcg@10": choice.ndcg, "tried": choice.tried}


def list_markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    cut = report["cut"]
    blocks = [
        f"{cut['history_events']:,} events before the cut, {cut['days_after_first_event']:.1f} "
        f"days after the first; {cut['users']:,} users\n"
    ]
    titles = {targets["kind"]: targets for targets in report["targets"]}
    for part in report["figures"]:
        targets, mode = titles[part["kind"]], part["mode"]
        blocks.append(
            f"### {targets['title']}, {mode} ({targets['users'][mode]:,} users, "
            f"{_number(targets['per_user'][mode], 1)} objects each)\n"
        )
        blocks.append(_table(ACCURACY_COLUMNS, part["recommenders"]))
        if part["kind"] == TargetKind.NEXT:
            blocks.append(_table(LIST_COLUMNS, part["recommenders"]))
        blocks.append(_segment_table(part["recommenders"]))
    if report["comparisons"]:
        blocks.append("### Compared with the best baseline\n")
        blocks.append(_comparison_table(report["comparisons"]))
    blocks.append("### Settings of the baselines\n")
    blocks.append(_settings_table(report["settings"]))
    blocks.extend(f"- {note}" for note in report["notes"])
    return "\n".join(blocks) + "\n"


def source_markdown(recalls: Sequence[SourceRecall]) -> str:
    """Recall of each source, what it adds to those before it, and of all up to it."""
    heads = ["source", "proposed"]
    for depth in CANDIDATE_DEPTHS:
        heads += [f"recall@{depth}", "adds", "together"]
    rows = [
        [
            recall.name,
            f"{recall.proposed:.0f}",
            *(
                _number(by_depth[depth])
                for depth in CANDIDATE_DEPTHS
                for by_depth in (recall.recall, recall.added, recall.together)
            ),
        ]
        for recall in recalls
    ]
    return _markdown(heads, rows)


ACCURACY_COLUMNS = (
    *(f"{name}@{depth}" for name in ACCURACY for depth in DEPTHS if depth == 10),
    *(f"{name}@{depth}" for name in ("ndcg", "recall") for depth in DEPTHS if depth != 10),
    *(f"recall@{depth}" for depth in CANDIDATE_DEPTHS),
)
"""What people see of the accuracy; the JSON has all depths."""
LIST_COLUMNS = (*(f"{name}@10" for name in LIST_FIGURES), "coverage@10")


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ["", *(column.replace("_", " ") for column in columns)]
    return _markdown(
        heads, [[row["name"], *(_number(row[column]) for column in columns)] for row in rows]
    )


def _segment_table(rows: Sequence[Mapping[str, Any]]) -> str:
    segments = list(rows[0]["segments"][MAIN_FIGURE]) if rows else []
    return _markdown(
        [f"{MAIN_FIGURE} by users", *segments],
        [
            [row["name"], *(_number(row["segments"][MAIN_FIGURE][s]) for s in segments)]
            for row in rows
        ],
    )


def _comparison_table(comparisons: Sequence[Mapping[str, Any]]) -> str:
    heads = ["", "targets", "mode", "rival", MAIN_FIGURE, "the rival's", "difference", "ratio"]
    rows = [
        [
            row["name"],
            row["kind"],
            row["mode"],
            row["rival"],
            _number(row["mean"]),
            _number(row["rival_mean"]),
            _with_interval(row, "difference", 4),
            _with_interval(row, "ratio", 2),
        ]
        for row in comparisons
    ]
    return _markdown(heads, rows)


def _settings_table(settings: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            row["baseline"],
            row["mode"],
            ", ".join(f"{_word(name)} {_value(value)}" for name, value in row["settings"].items()),
            _number(row["tuned_ndcg@10"]),
            str(row["tried"]),
        ]
        for row in settings
    ]
    return _markdown(["", "mode", "settings", "NDCG@10 of the earlier cut", "tried"], rows)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _with_interval(row: Mapping[str, Any], name: str, digits: int) -> str:
    low, high = _number(row[f"{name}_low"], digits), _number(row[f"{name}_high"], digits)
    return f"{_number(row[name], digits)} ({low} to {high})"


def _word(name: str) -> str:
    return name.replace("_", " ")


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: float | None, digits: int = 4) -> str:
    return MISSING if value is None or np.isnan(value) else f"{value:.{digits}f}"
