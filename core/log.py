"""The canonical log: what readers produce and the replay consumes, checked once and columnar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.log_tables import (
    check_events,
    entity_table,
    first_of_pair,
    given,
    positions,
    texts,
)
from core.schema import Branch, Schema

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


INTERACTIONS = (Outcome.PLAY, Outcome.REPLAY, Outcome.PURCHASE, Outcome.BOOKING)
"""Outcomes by which a user takes an object: these can be examples, and these are returns."""


class TieRule(StrEnum):
    """Which events share a moment and therefore do not see each other."""

    TIMESTAMP = "timestamp"
    """Events with equal timestamps (a basket, a coarse clock) form one tie group."""
    ROW = "row"
    """Rows are ordered finer than the clock says: every event is its own group."""


class ClockKind(StrEnum):
    """What the times of a log are."""

    REAL = "real"
    """Epoch seconds, as things happened."""
    MAPPED = "mapped"
    """The order of rows, put onto a window of epoch seconds."""
    SESSIONS = "sessions"
    """Users' sessions, a day each."""


@dataclass(frozen=True)
class LabelRule:
    """When an event is an example, and when its label is known."""

    horizon_s: float
    """A return counts within this many seconds after the event; the label matures then."""
    warm_up_s: float = 0.0
    """Events in this first stretch of the log are never examples."""
    inner_by_user: bool = False
    """Whether train, tune and stack are blocks of users instead of stretches of time between which
    labels mature. Only for logs whose horizon is so long that such gaps would leave nothing."""


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
        is_example: (n,) bool, the event may be an example (first interaction of its pair, warmed
            up; or a row whose file gives its label). Statistics of labels do not depend on it: in
            a replay as live, the first interaction of each pair counts there.
        labels: (n,) int8: 1, 0 or UNKNOWN_LABEL (the replay derives it by the label rule).
        matures_at_s: (n,) float64 on the log's clock: when the label becomes known.
        position: (n,) float64 in [0, 1): place in the chronological split; NaN for no example and
            for examples without a label in the file whose horizon the log ends too early to see.
        matures_position: (n,) float64: the position at which the label is known (may exceed 1).
        row_id: (n,) int64: 0-based data row of the event file, for predictions.
        label_rule: horizon of labels to come, on the log's clock.
        clock: what `time_s` is.
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
    label_rule: LabelRule
    clock: ClockKind = ClockKind.REAL
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
    users_where: str = "users",
    objects_where: str = "objects",
    default_outcome: Outcome = Outcome.PLAY,
    clock: ClockKind = ClockKind.REAL,
    pools: Mapping[str, frozenset[str]] | None = None,
    notes: Sequence[str] = (),
) -> EventLog:
    """Check tables and put them into canonical form.

    Args:
        domain: name of the domain.
        schema: which columns count; others are ignored.
        events: columns `user_id`, `object_id`, `time_s` (float64 seconds) and optionally
            `user_time_s`, `outcome`, `label` (0, 1, or UNKNOWN_LABEL), `matures_at_s`,
            `is_example`, `position` and `matures_position`, the context fields; the index is not
            used, `row_id` defaults to the row number. Rows may come in any order: they are sorted
            by time, stably. Categorical columns are the quickest.
        users: `user_id` plus any user fields; users only seen in events get absent attributes.
        objects: `object_id`, optionally `title`, plus any object fields.
        label_rule: horizon, warm-up and gap.
        tie_rule: what shares a moment.
        where: name of the event file, for errors; lines are those of its rows as given.
        users_where: name of the user file, for errors.
        objects_where: name of the object file, for errors.
        default_outcome: what an event without an outcome says.
        clock: what the times are.
        pools: pool name -> object ids.
        notes: facts that reports must state.

    Raises:
        InvalidDataError: no events, a missing column, an empty id, a time that is not finite, a
            label other than 0 and 1, a duplicate entity. The message names file and line.
    """
    check_events(events, where)
    n = len(events)
    row_id = events["row_id"].to_numpy(np.int64) if "row_id" in events else np.arange(n)
    time_s = events["time_s"].to_numpy(np.float64)
    if not (np.diff(time_s) >= 0).all():
        order = np.argsort(time_s, kind="stable")
        events, row_id, time_s = events.iloc[order], row_id[order], time_s[order]

    user_ids, user_columns, user_titles, user_index = entity_table(
        users, "user_id", schema.user, events["user_id"], users_where
    )
    object_ids, object_columns, object_titles, object_index = entity_table(
        objects, "object_id", schema.object, events["object_id"], objects_where
    )
    outcome = texts(events.get("outcome"), n)
    outcome[outcome == ""] = default_outcome.value
    if "is_example" in events:
        is_example = events["is_example"].to_numpy(np.bool_)
    else:
        taken = np.isin(outcome, [str(interaction) for interaction in INTERACTIONS])
        first = first_of_pair(user_index, object_index, taken, len(object_ids))
        is_example = first & (time_s >= time_s[0] + label_rule.warm_up_s)
    labels = given(events, "label", np.full(n, UNKNOWN_LABEL, np.int8))
    matures_at_s = given(events, "matures_at_s", time_s + label_rule.horizon_s)
    decided = is_example & ((labels != UNKNOWN_LABEL) | (matures_at_s <= time_s[-1]))
    position, matures_position = positions(decided, time_s, matures_at_s)
    shared = np.concatenate([[0], np.cumsum(np.diff(time_s) > 0)]).astype(np.int64)
    return EventLog(
        domain=domain,
        users=Entities(user_ids, user_columns, user_titles),
        objects=Entities(object_ids, object_columns, object_titles),
        user_index=user_index,
        object_index=object_index,
        time_s=time_s,
        user_time_s=given(events, "user_time_s", time_s),
        tie_group=shared if tie_rule is TieRule.TIMESTAMP else np.arange(n),
        context={f.name: texts(events.get(f.name), n) for f in schema.context},
        outcome=outcome,
        is_example=is_example,
        labels=labels,
        matures_at_s=matures_at_s,
        position=given(events, "position", position),
        matures_position=given(events, "matures_position", matures_position),
        row_id=row_id,
        label_rule=label_rule,
        clock=clock,
        pools=dict(pools or {}),
        notes=tuple(notes),
    )


__all__ = [
    "INTERACTIONS",
    "UNKNOWN_LABEL",
    "Branch",
    "ClockKind",
    "Entities",
    "EventLog",
    "LabelRule",
    "Outcome",
    "TieRule",
    "build_log",
]
