"""Lists and how good they are: cuts of a log, figures of lists, baselines, reports."""

from __future__ import annotations

from core.lists.protocol import (
    ListRecommender,
    ListTask,
    Mode,
    TargetKind,
    Targets,
    cut_lists,
    cut_of,
    earlier_task,
    history_log,
)

__all__ = [
    "ListRecommender",
    "ListTask",
    "Mode",
    "TargetKind",
    "Targets",
    "cut_lists",
    "cut_of",
    "earlier_task",
    "history_log",
]
