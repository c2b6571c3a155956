"""The state: everything counted from events up to a moment, with one write and one read side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.content import ContentVectors
from core.errors import BundleError
from core.log import UNKNOWN_LABEL, Entities, EventLog, TieRule
from core.schema import Schema
from core.state.arrays import (
    CLOCK,
    CODE,
    DISTINCT,
    LAST_TIME,
    MET,
    ORIGIN,
    RECENT,
    TIE_GROUP,
    UO_COUNT,
    UO_OPINION,
    VERSION,
    load_arrays,
    new_arrays,
    save_arrays,
    with_pair_room,
    with_rows,
)
from core.state.columns import Columns, FeatureBatch
from core.state.content import with_content_rows
from core.state.events import KINDS, Event, log_arrays
from core.state.families.static import write_numbers
from core.state.folding import vectors_by_facets
from core.state.hashing import read_column
from core.state.layout import (
    category_fields,
    columns_of,
    number_fields,
    shape_of,
    user_field,
)
from core.state.names import Names
from core.state.own_past import OwnPast, last_met_s, read_own_objects, read_own_past
from core.state.reading import read_batch, seen_code
from core.state.replaying import LogArrays
from core.state.vocabulary import Vocabulary
from core.state.writing import INTERACTION, advance, interact, react

NOBODY = 0
"""Index of users and objects never heard of."""
_NO_LABELS = np.zeros(0, np.int8)


class State:
    """Counters, vectors and sequences of one log.

    Not safe across threads: whoever shares a state serialises the calls.
    """

    def __init__(self, schema: Schema, horizon_s: float, tie_rule: TieRule) -> None:
        """A state before any event.

        Args:
            schema: what users, objects and contexts look like.
            horizon_s: labels of live events mature when it has passed.
            tie_rule: which live events share a moment.
        """
        self.schema = schema
        self.horizon_s = horizon_s
        self.tie_rule = tie_rule
        self.names = Names(schema)
        self._columns: tuple[dict[str, int], Columns] | None = None
        self.arrays = with_pair_room(new_arrays(schema, shape_of(schema)), 64)
        self._coded = self.names.values_end
        self._grow()

    @property
    def users(self) -> Vocabulary:
        """User ids and their indices."""
        return self.names.users

    @property
    def objects(self) -> Vocabulary:
        """Object ids and their indices."""
        return self.names.objects

    def add_entities(
        self, users: Entities, objects: Entities, pools: Mapping[str, frozenset[str]]
    ) -> None:
        """Make known the entities of tables, in their order; known ones stay as they are."""
        new_users = np.flatnonzero([i not in self.users for i in users.ids])
        new_objects = np.flatnonzero([i not in self.objects for i in objects.ids])
        user_rows = np.array([self.users.add(users.ids[i]) for i in new_users], np.int64)
        object_rows = np.array([self.objects.add(objects.ids[i]) for i in new_objects], np.int64)
        values_of_users = [
            self.names.add_values(user_field(f), users.columns[f.name][new_users])
            for f in category_fields(self.schema.user)
        ]
        values_of_objects = [
            self.names.add_sets(f, objects.columns[f.name][new_objects])
            for f in category_fields(self.schema.object)
        ]
        self._grow()
        for i, f in enumerate(number_fields(self.schema.user)):
            self.arrays.users.numbers[user_rows, i] = users.columns[f.name][new_users]
        for i, values in enumerate(values_of_users):
            self.arrays.users.values[user_rows, i] = values
        for i, f in enumerate(number_fields(self.schema.object)):
            self.arrays.objects.numbers[object_rows, i] = objects.columns[f.name][new_objects]
        self.arrays.objects.values[object_rows] = np.hstack(values_of_objects)
        # After the latent fit an object that nobody has met starts from what its facets say.
        self.arrays.objects.vector[object_rows] = vectors_by_facets(
            self.arrays, self.arrays.objects.values[object_rows], self.arrays.values.object_mean
        )
        for i, pool in enumerate(self.schema.pools):
            members = pools.get(pool, frozenset())
            self.arrays.objects.pools[object_rows, i] = [
                objects.ids[row] in members for row in new_objects
            ]

    def object_numbers(self, field: str) -> NDArray[np.float64]:
        """(n_objects,) an object number field, NaN absent; a view."""
        place = [f.name for f in number_fields(self.schema.object)].index(field)
        return self.arrays.objects.numbers[:, place]

    def _grow(self) -> None:
        """Make room for every known entity."""
        a = self.arrays
        users, objects = with_rows(a.users, self.users.end), with_rows(a.objects, self.objects.end)
        self.arrays = a._replace(
            users=users,
            objects=objects,
            values=with_rows(a.values, self.names.values_end),
            content=with_content_rows(a.content, len(users.counts), len(objects.counts)),
        )
        if self._coded < self.names.values_end:
            new = slice(self._coded, self.names.values_end)
            self.arrays.values.tags[new, CODE] = self.names.codes(self._coded)
            self._coded = self.names.values_end

    def add_content(self, content: ContentVectors, hidden: NDArray[np.bool_] | None = None) -> None:
        """Give objects their content vectors, before any event meets them.

        Objects that are new become known, without attributes. The vectors of `hidden` objects (n,)
        make tastes but are not shown to members, until `show_content`.

        Raises:
            ValueError: the vectors are not of the schema's space.
        """
        if content.space != self.schema.content:
            raise ValueError(f"vectors of {content.space}, the schema has {self.schema.content}")
        rows = np.array([self.objects.add(i) for i in content.object_ids], np.intp)
        self._grow()
        self.arrays.content.vector[rows] = content.vectors
        self.arrays.content.shown[rows] = True if hidden is None else ~hidden
        self.arrays.objects.tags[rows, VERSION] += 1

    def show_content(self) -> None:
        """Show members every content vector there is."""
        content = self.arrays.content
        newly_shown = np.flatnonzero(content.vector.any(axis=1) & ~content.shown)
        content.shown[newly_shown] = True
        self.arrays.objects.tags[newly_shown, VERSION] += 1

    @property
    def columns(self) -> Columns:
        """The layout of this state's batches; cardinalities are those of now."""
        sizes = self.names.sizes()
        if self._columns is None or self._columns[0] != sizes:
            self._columns = sizes, columns_of(self.schema, sizes)
        return self._columns[1]

    @property
    def clock_s(self) -> float:
        """The latest moment seen, by an event or by `advance`; -inf before any."""
        return float(self.arrays.totals.numbers[CLOCK])

    def advance(self, time_s: float) -> None:
        """Let the labels mature whose horizon closed before a moment; nothing else."""
        advance(self.arrays, time_s, _NO_LABELS)

    def features(
        self,
        user: int,
        objects: NDArray[np.int32],
        context: Mapping[str, str],
        time_s: float,
        columns: Columns,
        attributes: Mapping[str, str | float] | None = None,
        user_time_s: float | None = None,
    ) -> FeatureBatch:
        """The as-of features of candidates (n,) for one user and context.

        Args:
            user: index, NOBODY for a new user.
            objects: (n,) indices, NOBODY for new objects.
            context: field -> value; absent or '' is unknown.
            time_s: now; `advance` must have been called up to it.
            columns: layout that the batch announces (the trained one).
            attributes: user fields that override what is known, for this call only.
            user_time_s: now on the user's own clock, where the log keeps one; None is `time_s`.
        """
        n = len(objects)
        numbers = np.empty((n, len(columns.numbers)), np.float32)
        codes = np.empty((n, len(columns.codes)), np.int32)
        keys = np.empty(n, np.int64)
        if n:
            values = self.names.context_values(context)
            user_time = time_s if user_time_s is None else user_time_s
            read_batch(
                self.arrays,
                user,
                objects,
                values,
                time_s,
                user_time,
                columns.cardinalities,
                numbers,
                codes,
                keys,
            )
            if attributes:
                self._override(user, attributes, time_s, columns, numbers, codes)
        return FeatureBatch(columns, numbers, codes, keys, one_user=True)

    def object_values(self, field: str, objects: NDArray[np.int32]) -> NDArray[np.int32]:
        """(n, max_values) value ids of a category field of objects (n,); 0 where absent."""
        names = [f.name for f in category_fields(self.schema.object)]
        start, end = self.arrays.shape.slot_start[names.index(field) :][:2]
        out: NDArray[np.int32] = self.arrays.objects.values[objects, start:end]
        return out

    def user_values(self, user: int, attributes: Mapping[str, str | float]) -> NDArray[np.int32]:
        """(m,) value ids of a user's categories that are known, `attributes` before what is kept.

        They are the ids in `Users.values`; a value that no user has is left out.
        """
        values: NDArray[np.int32] = self.arrays.users.values[user].copy()
        for i, value in self.names.declared_values(attributes).items():
            values[i] = value
        return values[values > 0]

    def _override(
        self,
        user: int,
        attributes: Mapping[str, str | float],
        time_s: float,
        columns: Columns,
        numbers: NDArray[np.float32],
        codes: NDArray[np.int32],
    ) -> None:
        """Write other declared attributes over the user's static columns, in place.

        The static numbers are the first number columns, the user's categories follow the user id.
        """
        fields = number_fields(self.schema.user)
        declared = self.arrays.users.numbers[user].copy()
        for i, f in enumerate(fields):
            if f.name in attributes:
                declared[i] = float(attributes[f.name])
        row = np.empty(2 * len(fields), np.float32)
        write_numbers(declared, self.arrays.shape.user_is_time, time_s, row, 0)
        numbers[:, : len(row)] = row
        for i, value in self.names.declared_values(attributes).items():
            code = seen_code(self.arrays.values, value)
            codes[:, 1 + i] = code if code < columns.cardinalities[1 + i] else 0

    def met(self, user: int, objects: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(n,) which objects the user has interacted with."""
        return read_column(self.arrays.user_object, user, objects, UO_COUNT) > 0

    def opinions(self, user: int, objects: NDArray[np.int32]) -> NDArray[np.float32]:
        """(n,) 1 liked, -1 disliked, 0 neither."""
        out: NDArray[np.float32] = read_column(self.arrays.user_object, user, objects, UO_OPINION)
        return out

    def own_objects(self, user: int) -> NDArray[np.int32]:
        """(m,) every object that the user has interacted with, the one first met latest first."""
        users = self.arrays.users
        newest, n = int(users.newest[user]), int(users.counts[user, DISTINCT])
        out: NDArray[np.int32] = read_own_objects(self.arrays.user_object, user, newest, n)
        return out

    def own_past(self, user: int, objects: NDArray[np.int32], user_time_s: float) -> OwnPast:
        """How often and when the user met each of these objects (n,), on the user's own clock."""
        return read_own_past(self.arrays, user, objects, user_time_s)

    def last_met_s(self, user: int, objects: NDArray[np.int32]) -> NDArray[np.float64]:
        """(n,) moments of the last meetings, on the user's own clock; -inf never met."""
        origin = float(self.arrays.totals.numbers[ORIGIN])
        return last_met_s(self.arrays.user_object, user, objects, origin)

    def recent_objects(self, user: int) -> NDArray[np.int32]:
        """(at most RECENT,) the latest objects met or liked, latest first, without repeats."""
        trail = self.arrays.users.trail[user]
        ring, met = trail[-RECENT:], int(trail[MET])
        latest = [int(ring[i % len(ring)]) for i in range(met - 1, max(met - len(ring), 0) - 1, -1)]
        return np.array(list(dict.fromkeys(latest)), np.int32)

    def update(self, event: Event) -> None:
        """Write one live event; unknown users, objects and values become known.

        Raises:
            ValueError: the event names no user or no object.
        """
        if not event.user_id or not event.object_id:
            raise ValueError(f"the event names no user or no object: {event}")
        user, obj = self.users.add(event.user_id), self.objects.add(event.object_id)
        self.names.add_context(event.context)
        self._grow()
        self.arrays = with_pair_room(self.arrays, 1)
        self.advance(event.time_s)
        kind, tie_group = KINDS[event.outcome], self._tie_group(event.time_s)
        if kind != INTERACTION:
            react(self.arrays, user, obj, kind, event.time_s, tie_group)
            return
        interact(
            self.arrays,
            user,
            obj,
            self.names.context_values(event.context),
            event.time_s,
            event.time_s if event.user_time_s is None else event.user_time_s,
            tie_group,
            UNKNOWN_LABEL,
            event.time_s + self.horizon_s,
            -1,
        )

    def _tie_group(self, time_s: float) -> int:
        """The group of an event that comes now: the latest event's own if they share a moment."""
        totals = self.arrays.totals.numbers
        shared = self.tie_rule is TieRule.TIMESTAMP and time_s == totals[LAST_TIME]
        return int(totals[TIE_GROUP]) + (0 if shared else 1)

    def log_arrays(self, log: EventLog) -> LogArrays:
        """The log in this state's indices. Makes known all its entities and context values."""
        self.add_entities(log.users, log.objects, log.pools)
        first_group = self._tie_group(log.time_s[0]) if len(log) else 0
        arrays = log_arrays(log, self.schema, self.names, first_group)
        self._grow()
        return arrays

    def save(self, directory: Path) -> None:
        """Write the whole state into an existing directory."""
        save_arrays(self.arrays, directory)
        words = {
            "schema": self.schema.fingerprint,
            "horizon_s": self.horizon_s,
            "tie_rule": self.tie_rule.value,
            **self.names.to_json(),
        }
        (directory / "vocabularies.json").write_text(
            json.dumps(words, ensure_ascii=False), encoding="utf-8"
        )

    @classmethod
    def load(cls, schema: Schema, directory: Path) -> State:
        """Open what `save` wrote, by memory map; changes stay private to this process.

        Raises:
            BundleError: a file is missing or does not fit the schema.
        """
        try:
            words = json.loads((directory / "vocabularies.json").read_text(encoding="utf-8"))
            if words["schema"] != schema.fingerprint:
                raise BundleError(
                    f"the state in {directory} was made for another schema "
                    f"({words['schema'][:12]}, not {schema.fingerprint[:12]}): train it anew"
                )
            state = cls(schema, words["horizon_s"], TieRule(words["tie_rule"]))
            state.arrays = load_arrays(directory, state.arrays)
            state.names = Names.from_json(schema, words)
            state._coded = state.names.values_end
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"the state in {directory} cannot be read: {error}") from error
        return state
