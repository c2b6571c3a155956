"""The generic log of every domain: `events`, `objects`, `users` and `pools.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidDataError
from core.log import UNKNOWN_LABEL, EventLog, LabelRule, Outcome, TieRule, build_log
from core.log_tables import maturity_positions
from core.readers import Reader
from core.schema import Field, Kind, Schema
from core.source_table import SourceTable, find_table, read_table
from core.source_values import categories, ids, moments, numbers, texts, unique_ids

PrepareObjects = Callable[[pd.DataFrame, float], pd.DataFrame]
"""Raw catalogue strings and the moment of the log's first event -> the schema's object columns.

Nothing later may shape a catalogue: rows of the test block would change training features."""

EXPECTS = "events.csv or events.parquet, with objects.*, users.* and pools.json where there are any"


@dataclass(frozen=True)
class GenericLog:
    """How a domain reads the generic log."""

    domain: str
    schema: Schema
    outcomes: Sequence[Outcome]
    """What events may say; the first is meant where a row says nothing."""
    label_rule: LabelRule
    tie_rule: TieRule
    basket_column: str | None = None
    """Rows of one user with an equal value here share the moment of the earliest of them."""
    prepare_objects: PrepareObjects | None = None
    """Parses `raw_object_columns` into columns of the schema."""
    raw_object_columns: Sequence[str] = ()
    """Columns of `objects.*` beyond the schema that `prepare_objects` reads, as strings."""

    def reader(self) -> Reader:
        """This format as an entry of the domain's readers."""
        return Reader(expects=EXPECTS, matches=matches, read=self.read)

    def read(self, directory: Path, /) -> EventLog:
        """The log of a directory.

        `events` has `user_id`, `object_id` and `timestamp` (epoch seconds, or ISO 8601, in UTC
        where no zone is named), any context fields, and optionally `outcome`, `label`, `position`
        and the basket column. With `label`, the rows that carry one are the examples; without it
        labels are left to the label rule. With `position` in [0, 1), only rows that carry one are
        examples, and it is their place in the chronological split instead of their rank.
        `objects` and `users` are keyed by `object_id` and `user_id`.
        `pools.json` maps pool names of the schema to lists of object ids.

        Raises:
            InvalidDataError: naming file, line and column at fault.
        """
        path = find_table(directory, "events")
        if path is None:
            raise InvalidDataError(str(directory), "there is no events file", f"Give {EXPECTS}")
        notes: list[str] = []
        events = self._events(path, notes)
        begin_s = float(events["time_s"].min())
        users = _entities(find_table(directory, "users"), "user_id", self.schema.user, (), notes)
        objects = _entities(
            find_table(directory, "objects"),
            "object_id",
            self.schema.object,
            ("title", *self.raw_object_columns),
            notes,
        )
        if self.prepare_objects is not None:
            objects = self.prepare_objects(objects, begin_s)
        pools: Mapping[str, frozenset[str]] = {}
        if (directory / "pools.json").is_file():
            known = set(objects["object_id"]) | set(events["object_id"].cat.categories)
            pools = read_pools(directory / "pools.json", self.schema.pools, known, notes)
        return build_log(
            self.domain,
            self.schema,
            events,
            users=users,
            objects=objects,
            label_rule=self.label_rule,
            tie_rule=self.tie_rule,
            where=path.name,
            default_outcome=self.outcomes[0],
            pools=pools,
            notes=notes,
        )

    def _events(self, path: Path, notes: list[str]) -> pd.DataFrame:
        context = [field.name for field in self.schema.context]
        baskets = [self.basket_column] if self.basket_column else []
        table = read_table(
            path,
            required=("user_id", "object_id", "timestamp"),
            optional=(*context, "outcome", "label", "position", *baskets),
        )
        if not len(table):
            raise InvalidDataError(path.name, "there are no events", "Give at least one row")
        _note_ignored(table, notes)
        when = moments(table, "timestamp", required=True)
        if when.zone_assumed:
            notes.append(f"{path.name}: timestamps without a zone were taken as UTC")
        events = pd.DataFrame(
            {"user_id": ids(table, "user_id"), "object_id": ids(table, "object_id")}
        )
        events["time_s"] = when.seconds
        for name in context:
            if name in table:
                events[name] = categories(table, name)
        if "outcome" in table:
            events["outcome"] = self._outcomes(table)
        if "label" in table:
            labels = _labels(table)
            events["is_example"] = np.isfinite(labels)
            events["label"] = np.where(np.isfinite(labels), labels, UNKNOWN_LABEL).astype(np.int8)
        if self.basket_column and self.basket_column in table:
            basket = categories(table, self.basket_column)
            events["time_s"] = _basket_times(events, basket)
        if "position" in table:
            time_s = events["time_s"].to_numpy(np.float64)
            position = _positions(table, time_s)
            events["position"] = position
            events["matures_position"] = maturity_positions(
                position, time_s, time_s + self.label_rule.horizon_s
            )
        return events

    def _outcomes(self, table: SourceTable) -> pd.Categorical:
        values = categories(table, "outcome")
        allowed = [str(outcome) for outcome in self.outcomes]
        bad = np.flatnonzero(~np.asarray(values.isin([*allowed, ""])))
        if len(bad):
            row = int(bad[0])
            raise table.fault(
                row, "outcome", f"unknown outcome {values[row]!r:.60}", f"Use {', '.join(allowed)}"
            )
        return values


def matches(directory: Path) -> bool:
    """Whether the directory holds an events file."""
    return any((directory / f"events.{suffix}").is_file() for suffix in ("csv", "parquet"))


def read_pools(
    path: Path, allowed: Sequence[str], known: set[str], notes: list[str]
) -> Mapping[str, frozenset[str]]:
    """Pool name -> the known object ids of `pools.json`.

    Unknown object ids are left out and counted in `notes`.

    Raises:
        InvalidDataError: not JSON in UTF-8, not lists of ids, or a pool the schema does not name.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidDataError(path.name, "the file is not UTF-8", "Save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise InvalidDataError(f"{path.name}:{error.lineno}", error.msg, "Mend the JSON") from error
    if not isinstance(document, dict):
        raise InvalidDataError(path.name, "not an object", 'Give {"pool": ["id", ...]}')
    pools = {}
    for name, members in document.items():
        if name not in allowed:
            raise InvalidDataError(
                path.name,
                f"unknown pool {name!r}",
                f"The schema knows {', '.join(allowed) or 'no pools'}",
            )
        if not isinstance(members, list) or not all(isinstance(m, str) for m in members):
            raise InvalidDataError(
                path.name, f"pool {name!r} is not a list of strings", "List object ids"
            )
        pools[name] = frozenset(members) & known
        if len(pools[name]) < len(set(members)):
            missing = len(set(members)) - len(pools[name])
            notes.append(f"{path.name}: {missing} ids of pool {name} are unknown and left out")
    return pools


def _entities(
    path: Path | None, key: str, fields: Sequence[Field], extra: Sequence[str], notes: list[str]
) -> pd.DataFrame:
    if path is None:
        return pd.DataFrame({key: pd.Series([], dtype=object)})
    named = [field.name for field in fields]
    table = read_table(path, required=(key,), optional=(*named, *extra))
    _note_ignored(table, notes)
    columns: dict[str, pd.Categorical | NDArray[np.generic]] = {key: unique_ids(table, key)}
    kinds = {field.name: field.kind for field in fields}
    for name in dict.fromkeys((*named, *extra)):
        if name not in table:
            continue
        kind = kinds.get(name, Kind.CATEGORY)
        if kind is Kind.NUMBER:
            columns[name] = numbers(table, name)
        elif kind is Kind.TIMESTAMP:
            when = moments(table, name, required=False)
            columns[name] = when.seconds
            if when.zone_assumed:
                notes.append(f"{path.name}: {name} without a zone was taken as UTC")
        elif name == "title":
            columns[name] = texts(table, name)
        else:
            columns[name] = categories(table, name)
    return pd.DataFrame(columns)


def _labels(table: SourceTable) -> NDArray[np.float64]:
    labels = numbers(table, "label")
    bad = np.flatnonzero(np.isfinite(labels) & ~np.isin(labels, (0.0, 1.0)))
    if len(bad):
        row = int(bad[0])
        raise table.fault(row, "label", f"the label is {labels[row]:g}", "Labels are 0 or 1")
    if not np.isfinite(labels).any():
        raise InvalidDataError(
            table.path.name,
            "column label is empty in every row",
            "Drop the column to have labels derived from returns",
        )
    return labels


def _positions(table: SourceTable, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    position = numbers(table, "position")
    placed = np.flatnonzero(np.isfinite(position))
    bad = placed[(position[placed] < 0.0) | (position[placed] >= 1.0)]
    if len(bad):
        row = int(bad[0])
        raise table.fault(
            row, "position", f"the position is {position[row]:g}", "Positions are in [0, 1)"
        )
    if not len(placed):
        raise InvalidDataError(
            table.path.name, "column position is empty in every row", "Drop the column"
        )
    ordered = placed[np.argsort(time_s[placed], kind="stable")]
    back = np.flatnonzero(np.diff(position[ordered]) < 0)
    if len(back):
        row = int(ordered[back[0] + 1])
        raise table.fault(
            row,
            "position",
            f"the position is {position[row]:g}, that of an earlier event is larger",
            "Positions follow time",
        )
    return position


def _basket_times(events: pd.DataFrame, basket: pd.Categorical) -> NDArray[np.float64]:
    frame = pd.DataFrame(
        {
            "user": events["user_id"].cat.codes.to_numpy(),
            "basket": basket.codes,
            "time_s": events["time_s"].to_numpy(np.float64),
        }
    )
    earliest = frame.groupby(["user", "basket"])["time_s"].transform("min").to_numpy(np.float64)
    return np.where(np.asarray(basket == ""), frame["time_s"].to_numpy(np.float64), earliest)


def _note_ignored(table: SourceTable, notes: list[str]) -> None:
    if table.ignored:
        notes.append(f"{table.path.name}: columns not read: {', '.join(table.ignored)}")
