"""The canonical log: what readers produce and the replay consumes, checked once and columnar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidDataError
from core.schema import Branch, Field, Kind, Schema

UNKNOWN_LABEL = -1
"""In `EventLog.labels`: the label rule derives it from the events that follow."""


class Outcome(StrEnum):
    """What an event says. Domains allow a subset."""

    PLAY = "play"
    REPLAY = "replay"
    LIKE = "like"
    DISLIKE = "dislike"
    UNLIKE = "unlike"
    SKIP = "skip"
    PURCHASE = "purchase"
    BOOKING = "booking"


class TieRule(StrEnum):
    """Which events share a moment and therefore do not see each other."""

    TIMESTAMP = "timestamp"
    """Events with equal timestamps (a basket, a coarse clock) form one tie group."""
    ROW = "row"
    """Rows are ordered finer than the clock says: every event is its own group."""


@dataclass(frozen=True)
class LabelRule:
    """When an event is an example, and when its label is known."""

    horizon_s: float
    """A return counts within this many seconds after the event; the label matures then."""
    warm_up_s: float = 0.0
    """Events in this first stretch of the log are never examples."""


@dataclass(frozen=True)
class Entities:
    """A table of users or objects.

    Attributes:
        ids: (n,) strings, unique; an entity's position is its dense index.
        columns: field name -> (n,) values: str for categories ('' absent), list of str as one
            `|`-separated str for category sets, float64 for numbers and timestamps (NaN absent).
        titles: (n,) strings for people, '' when unknown; never a feature.
    """

    ids: tuple[str, ...]
    columns: Mapping[str, NDArray[np.generic]]
    titles: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class EventLog:
    """Events in log order with the entities they speak of.

    Attributes:
        user_index, object_index: (n,) int32 into `users` and `objects`.
        time_s: (n,) float64, never decreasing: the log's clock.
        user_time_s: (n,) float64, the user's own clock, equal to `time_s` wherever a real clock
            exists; session logs count the user's sessions instead.
        tie_group: (n,) int64, never decreasing; equal values share a moment.
        context: field name -> (n,) str values, '' unknown.
        outcome: (n,) str values of `Outcome`.
        is_example: (n,) bool, the event may be an example (first of its pair, warmed up).
        labels: (n,) int8: 1, 0 or UNKNOWN_LABEL (the replay derives it by the label rule).
        matures_at_s: (n,) float64 on the log's clock: when the label becomes known.
        position: (n,) float64 in [0, 1): place in the chronological split; NaN for no example.
        matures_position: (n,) float64: the position at which the label is known (may exceed 1).
        row_id: (n,) int64: 0-based data row of the event file, for predictions.
        notes: facts that reports must state (mapped clocks, lags set in rows, dropped rows).
    """

    domain: str
    users: Entities
    objects: Entities
    user_index: NDArray[np.int32]
    object_index: NDArray[np.int32]
    time_s: NDArray[np.float64]
    user_time_s: NDArray[np.float64]
    tie_group: NDArray[np.int64]
    context: Mapping[str, NDArray[np.generic]]
    outcome: NDArray[np.generic]
    is_example: NDArray[np.bool_]
    labels: NDArray[np.int8]
    matures_at_s: NDArray[np.float64]
    position: NDArray[np.float64]
    matures_position: NDArray[np.float64]
    row_id: NDArray[np.int64]
    pools: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time_s)


def build_log(
    domain: str,
    schema: Schema,
    events: pd.DataFrame,
    *,
    users: pd.DataFrame,
    objects: pd.DataFrame,
    label_rule: LabelRule,
    tie_rule: TieRule,
    where: str,
    pools: Mapping[str, frozenset[str]] | None = None,
    notes: Sequence[str] = (),
) -> EventLog:
    """Check tables and put them into canonical form.

    Args:
        domain: name of the domain.
        schema: which columns count; others are ignored.
        events: columns `user_id`, `object_id`, `time_s` (float64 seconds) and optionally
            `user_time_s`, `outcome`, `label` (0/1), `matures_at_s`, `is_example`, `position` and
            `matures_position`, the context fields; the index is not used, `row_id` defaults to
            the row number. Rows may come in any order: they are sorted by time, stably.
        users: `user_id` plus any user fields; users only seen in events get absent attributes.
        objects: `object_id`, optionally `title`, plus any object fields.
        label_rule: horizon and warm-up.
        tie_rule: what shares a moment.
        where: name of the event file, for errors.
        pools: pool name -> object ids.
        notes: facts that reports must state.

    Raises:
        InvalidDataError: no events, a missing column, an empty id, a time that is not finite, a
            label other than 0 and 1, a duplicate entity. The message names file and line.
    """
    _check_events(events, where)
    row_id = (
        events["row_id"].to_numpy(np.int64)
        if "row_id" in events
        else np.arange(len(events), dtype=np.int64)
    )
    time_s = events["time_s"].to_numpy(np.float64)
    order = np.argsort(time_s, kind="stable")
    events = events.iloc[order].reset_index(drop=True)
    row_id, time_s = row_id[order], time_s[order]

    user_table, user_index = _entities(users, "user_id", schema.user, events["user_id"], "users")
    object_table, object_index = _entities(
        objects, "object_id", schema.object, events["object_id"], "objects"
    )
    n = len(events)
    tie_group = (
        np.arange(n, dtype=np.int64)
        if tie_rule is TieRule.ROW
        else np.concatenate([[0], np.cumsum(np.diff(time_s) > 0)]).astype(np.int64)
    )
    first = _first_of_pair(user_index, object_index, len(object_table))
    warm = time_s >= time_s[0] + label_rule.warm_up_s if label_rule.warm_up_s else np.ones(n, bool)
    outcome = _strings(events.get("outcome"), n)
    outcome[outcome == ""] = Outcome.PLAY.value
    explicit = np.isin(outcome, [Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE, Outcome.SKIP])
    is_example = (
        events["is_example"].to_numpy(bool) if "is_example" in events else first & warm & ~explicit
    )
    labels = (
        events["label"].to_numpy(np.int8)
        if "label" in events
        else np.full(n, UNKNOWN_LABEL, np.int8)
    )
    matures_at_s = (
        events["matures_at_s"].to_numpy(np.float64)
        if "matures_at_s" in events
        else time_s + label_rule.horizon_s
    )
    position, matures_position = _positions(events, is_example, time_s, matures_at_s)
    return EventLog(
        domain=domain,
        users=user_table,
        objects=object_table,
        user_index=user_index,
        object_index=object_index,
        time_s=time_s,
        user_time_s=(
            events["user_time_s"].to_numpy(np.float64) if "user_time_s" in events else time_s
        ),
        tie_group=tie_group,
        context={f.name: _strings(events.get(f.name), n) for f in schema.context},
        outcome=outcome,
        is_example=is_example,
        labels=labels,
        matures_at_s=matures_at_s,
        position=position,
        matures_position=matures_position,
        row_id=row_id,
        pools=dict(pools or {}),
        notes=tuple(notes),
    )


def _check_events(events: pd.DataFrame, where: str) -> None:
    for column in ("user_id", "object_id", "time_s"):
        if column not in events:
            raise InvalidDataError(
                where, f"column {column!r} is missing, found {list(events.columns)}", "Add it"
            )
    if events.empty:
        raise InvalidDataError(where, "there are no events", "Give a log with at least one row")
    for column in ("user_id", "object_id"):
        bad = np.flatnonzero(events[column].isna() | (events[column].astype(str) == ""))
        if len(bad):
            raise InvalidDataError(
                f"{where}:{bad[0] + 2}", f"{column} is empty", "Every event needs both ids"
            )
    bad = np.flatnonzero(~np.isfinite(events["time_s"].to_numpy(np.float64)))
    if len(bad):
        raise InvalidDataError(
            f"{where}:{bad[0] + 2}", "the time is not a finite number", "Mend or drop the row"
        )
    if "label" in events:
        bad = np.flatnonzero(~events["label"].isin([0, 1]))
        if len(bad):
            got = events["label"].iloc[bad[0]]
            raise InvalidDataError(
                f"{where}:{bad[0] + 2}", f"label is {got!r}", "Labels are 0 or 1"
            )


def _strings(column: pd.Series | None, n: int) -> NDArray[np.generic]:
    if column is None:
        return np.full(n, "", dtype=object)
    return column.astype(object).where(column.notna(), "").astype(str).to_numpy(object)


def _entities(
    table: pd.DataFrame, key: str, fields: Sequence[Field], seen: pd.Series, what: str
) -> tuple[Entities, NDArray[np.int32]]:
    """The table's rows plus the ids seen only in events, and the index of each event's id."""
    ids = table[key].astype(str)
    duplicate = np.flatnonzero(ids.duplicated())
    if len(duplicate):
        raise InvalidDataError(
            f"{what}:{duplicate[0] + 2}",
            f"{key} {ids.iloc[duplicate[0]]!r} stands twice",
            "Keep one row for each",
        )
    seen_ids = seen.astype(str)
    extra = seen_ids[~seen_ids.isin(ids)].drop_duplicates()
    index = pd.Index(pd.concat([ids, extra], ignore_index=True))
    table = table.set_index(ids).reindex(index)
    columns: dict[str, NDArray[np.generic]] = {}
    for f in fields:
        if f.kind in (Kind.CATEGORY, Kind.CATEGORY_SET):
            columns[f.name] = _strings(table.get(f.name), len(index))
        elif f.name in table:
            columns[f.name] = table[f.name].to_numpy(np.float64)
        else:
            columns[f.name] = np.full(len(index), np.nan)
    titles = _strings(table.get("title"), len(index))
    entities = Entities(tuple(str(i) for i in index), columns, tuple(titles.tolist()))
    return entities, index.get_indexer(pd.Index(seen_ids)).astype(np.int32)


def _first_of_pair(
    user_index: NDArray[np.int32], object_index: NDArray[np.int32], n_objects: int
) -> NDArray[np.bool_]:
    pair = user_index.astype(np.int64) * n_objects + object_index
    first = np.zeros(len(pair), bool)
    first[np.unique(pair, return_index=True)[1]] = True
    return first


def _positions(
    events: pd.DataFrame,
    is_example: NDArray[np.bool_],
    time_s: NDArray[np.float64],
    matures_at_s: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rank among the examples, unless the reader sets the positions (split by user)."""
    if "position" in events:
        return (
            events["position"].to_numpy(np.float64),
            events["matures_position"].to_numpy(np.float64),
        )
    count = max(int(is_example.sum()), 1)
    position = np.full(len(events), np.nan)
    position[is_example] = np.arange(is_example.sum()) / count
    # The first example at or after the moment of maturity tells the position; labels that mature
    # after the log's last example are not known within it: beyond 1.
    rank = np.searchsorted(time_s[is_example], matures_at_s, side="left")
    beyond = matures_at_s > time_s[-1]
    matures_position = np.where(beyond, 2.0, rank / count)
    return position, matures_position


__all__ = [
    "UNKNOWN_LABEL",
    "Branch",
    "Entities",
    "EventLog",
    "LabelRule",
    "Outcome",
    "TieRule",
    "build_log",
]
