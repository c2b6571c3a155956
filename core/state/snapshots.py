"""Snapshots: copies of what the features of rows touch, to be read while the log goes on.

A row must be read as of its moment, and reading it costs more than writing its event. So a replay
copies what the row touches into a small state, where each row has a user, two objects and values of
its own, and goes on; `read_numbers`, the very code of serving, reads the copies meanwhile.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.state.arrays import (
    MET,
    RECENT,
    Objects,
    Pending,
    StateArrays,
    Totals,
    Users,
    Values,
    context_fields,
)
from core.state.compiling import kernel
from core.state.content import Content
from core.state.families.sequence import previous_object
from core.state.hashing import MAX_LOAD, PairTable, find, find_or_add, new_pair_table, pair_key
from core.state.reading import read_codes, read_numbers

_ABSENT, _OTHER, _FIRST_VALUE = 0, 1, 2
"""Values of a small state: none, and one that neither the row's object nor its context has."""

Number = TypeVar("Number", bound=np.generic)


class Snapshots(NamedTuple):
    """Room for `capacity` rows.

    In the small state row i is of user 1 + i, whose previous object is 2 + 2i; its values begin at
    `_FIRST_VALUE` + i * (value slots + context fields + user values), in this order.
    """

    state: StateArrays
    """The small state; what no event changes is shared with the large one."""
    totals: NDArray[np.float64]
    """(capacity, totals) `Totals.numbers` as of each row."""
    learner: NDArray[np.float64]
    """(capacity, LEARNER) `Totals.learner` as of each row."""
    objects: NDArray[np.int32]
    """(capacity,) the object of each row, 1 + 2i."""
    context: NDArray[np.int32]
    """(capacity, context fields) value ids."""
    time: NDArray[np.float64]
    user_time: NDArray[np.float64]
    codes: NDArray[np.int32]
    """(capacity, code columns) of the large state: they are its indices."""


def new_snapshots(arrays: StateArrays, capacity: int, code_columns: int) -> Snapshots:
    """Room for `capacity` rows of a state."""
    contexts = context_fields(arrays)
    valued = arrays.objects.values.shape[1] + contexts
    values = _FIRST_VALUE + capacity * (valued + arrays.users.values.shape[1])
    content = arrays.content
    return Snapshots(
        state=arrays._replace(
            users=Users._make(_blank(array, 1 + capacity) for array in arrays.users),
            objects=Objects._make(_blank(array, 1 + 2 * capacity) for array in arrays.objects),
            values=Values._make(_blank(array, values) for array in arrays.values),
            content=Content(
                vector=_blank(content.vector, 1 + 2 * capacity),
                shown=_blank(content.shown, 1 + 2 * capacity),
                taste=_blank(content.taste, 1 + capacity),
                taste_at=_blank(content.taste_at, 1 + capacity),
                met=_blank(content.met, 1 + capacity),
            ),
            pending=Pending._make(_blank(array, 0) for array in arrays.pending),
            user_value=_table_like(arrays.user_value, valued * capacity),
            user_object=_table_like(arrays.user_object, capacity),
            object_context=_table_like(arrays.object_context, contexts * capacity),
        ),
        totals=np.zeros((capacity, len(arrays.totals.numbers))),
        learner=np.zeros((capacity, len(arrays.totals.learner))),
        objects=1 + 2 * np.arange(capacity, dtype=np.int32),
        context=np.zeros((capacity, contexts), np.int32),
        time=np.zeros(capacity),
        user_time=np.zeros(capacity),
        codes=np.zeros((capacity, code_columns), np.int32),
    )


def _blank(like: NDArray[Number], rows: int) -> NDArray[Number]:
    return np.zeros((rows, *like.shape[1:]), like.dtype)


def _table_like(table: PairTable, pairs: int) -> PairTable:
    """An empty table with room for so many pairs."""
    slots = 16
    while pairs > MAX_LOAD * slots:
        slots *= 2
    return new_pair_table(table.rows.shape[1], table.marks.shape[1], slots)


@kernel()
def forget(snapshots: Snapshots) -> None:
    """Make room for other rows."""
    _forget_pairs(snapshots.state.user_value)
    _forget_pairs(snapshots.state.user_object)
    _forget_pairs(snapshots.state.object_context)


@kernel()
def _forget_pairs(table: PairTable) -> None:
    for slot in range(len(table.keys)):
        table.keys[slot] = np.uint64(0)
    table.size[0] = 0


@kernel()
def take(
    s: StateArrays,
    user: int,
    candidate: NDArray[np.int32],
    context: NDArray[np.int32],
    time: float,
    user_time: float,
    cardinalities: NDArray[np.int32],
    snapshots: Snapshots,
    i: int,
) -> None:
    """Copy what the features of a user and one candidate (1,) touch to place i; read its codes.

    A family that reads more must be given it here: the copies would say zero. Parts of the state
    are handed on, not all of it: what a call takes is what compiling it costs.
    """
    small = snapshots.state
    obj = candidate[0] + 0  # in 64 bits: kernels are compiled anew for each type
    _copy(s.totals.numbers, snapshots.totals[i])
    _copy(s.totals.learner, snapshots.learner[i])
    snapshots.time[i], snapshots.user_time[i] = time, user_time
    to_user, to_object = 1 + i, 1 + 2 * i
    n_slots, n_fields = s.objects.values.shape[1], len(context)
    first = _FIRST_VALUE + i * (n_slots + n_fields + s.users.values.shape[1])

    _take_user(s.users, user, small.users, to_user)
    _take_object(s.objects, obj, small.objects, to_object)
    _take_pair(s.user_object, user, obj, small.user_object, to_user, to_object)
    of_object, to_values = s.objects.values[obj], small.objects.values[to_object]
    _take_values(of_object, first, s.values, small.values, to_values)
    _take_pairs(of_object, user, s.user_value, to_values, to_user, small.user_value)
    main = s.shape.main_slot[0]
    _copy(s.values.vector[of_object[main]], small.values.vector[to_values[main]])
    first += n_slots
    to_context = snapshots.context[i]
    _take_values(context, first, s.values, small.values, to_context)
    _take_pairs(context, user, s.user_value, to_context, to_user, small.user_value)
    _take_pairs(context, obj, s.object_context, to_context, to_object, small.object_context)
    first += n_fields
    _take_values(s.users.values[user], first, s.values, small.values, small.users.values[to_user])

    trail = s.users.trail[user]
    before, to_before = previous_object(trail), to_object + 1
    _take_trail(trail, context, to_context, to_before, small.users.trail[to_user])
    _copy(s.objects.vector[before], small.objects.vector[to_before])
    values_before = s.objects.values[before]
    _translate(values_before, of_object, to_values, small.objects.values[to_before])
    if s.content.vector.shape[1] > 0:
        _take_content(s.content, user, obj, before, small.content, to_user, to_object)
    read_codes(
        s.users,
        s.objects,
        s.values,
        user,
        candidate,
        context,
        cardinalities,
        snapshots.codes[i : i + 1],
    )


@kernel()
def _take_user(users: Users, user: int, small: Users, to: int) -> None:
    """Copy all of a user but values and trail."""
    _copy(users.counts[user], small.counts[to])
    _copy(users.numbers[user], small.numbers[to])
    _copy(users.distinct[user], small.distinct[to])
    _copy(users.visits[user], small.visits[to])
    _copy(users.vector[user], small.vector[to])
    _copy(users.facet_vector[user], small.facet_vector[to])
    _copy(users.recent[user], small.recent[to])
    small.recent_at[to] = users.recent_at[user]
    _copy(users.weights[user], small.weights[to])


@kernel()
def _take_object(objects: Objects, obj: int, small: Objects, to: int) -> None:
    """Copy all of an object but its values."""
    _copy(objects.counts[obj], small.counts[to])
    _copy(objects.numbers[obj], small.numbers[to])
    _copy(objects.pools[obj], small.pools[to])
    _copy(objects.vector[obj], small.vector[to])
    _copy(objects.weights[obj], small.weights[to])


@kernel()
def _take_values(
    chosen: NDArray[np.int32], first: int, values: Values, small: Values, to: NDArray[np.int32]
) -> None:
    """Copy values to `first` and on, and write into `to` which they are there."""
    for k in range(len(chosen)):
        to[k] = _ABSENT
        if chosen[k] != 0:
            to[k] = first + k
            _copy(values.counts[chosen[k]], small.counts[first + k])
            _copy(values.weights[chosen[k]], small.weights[first + k])


@kernel()
def _take_pairs(
    chosen: NDArray[np.int32],
    entity: int,
    table: PairTable,
    to: NDArray[np.int32],
    to_entity: int,
    small: PairTable,
) -> None:
    """Copy the pairs of an entity and values; `to` says which these are in the small state."""
    for k in range(len(chosen)):
        if chosen[k] != 0:
            _take_pair(table, entity, chosen[k], small, to_entity, to[k])


@kernel()
def _take_pair(table: PairTable, a: int, b: int, small: PairTable, to_a: int, to_b: int) -> None:
    slot = find(table, pair_key(a, b))
    if slot >= 0:
        place = find_or_add(small, pair_key(to_a, to_b))
        _copy(table.rows[slot], small.rows[place])
        _copy(table.marks[slot], small.marks[place])


@kernel()
def _take_trail(
    trail: NDArray[np.int32],
    context: NDArray[np.int32],
    to_context: NDArray[np.int32],
    to_before: int,
    to: NDArray[np.int32],
) -> None:
    """Write a trail with the context and the object of the user's latest meeting."""
    to[MET] = trail[MET]
    for field in range(len(context)):
        value = trail[MET + 1 + field]
        if value == 0:
            to[MET + 1 + field] = _ABSENT
        else:
            to[MET + 1 + field] = to_context[field] if value == context[field] else _OTHER
    to[len(trail) - RECENT + (trail[MET] - 1) % RECENT] = to_before


@kernel()
def _translate(
    values: NDArray[np.int32],
    known: NDArray[np.int32],
    to_known: NDArray[np.int32],
    to: NDArray[np.int32],
) -> None:
    """Write into `to` what values are in the small state that are compared, and no more."""
    for k in range(len(values)):
        to[k] = _ABSENT if values[k] == 0 else _OTHER
        for other in range(len(known)):
            if values[k] != 0 and values[k] == known[other]:
                to[k] = to_known[other]
                break


@kernel()
def _take_content(
    content: Content, user: int, obj: int, before: int, small: Content, to_user: int, to_object: int
) -> None:
    _copy(content.taste[user], small.taste[to_user])
    small.met[to_user] = content.met[user]
    _copy(content.vector[obj], small.vector[to_object])
    _copy(content.vector[before], small.vector[to_object + 1])
    small.shown[to_object] = content.shown[obj]


@kernel()
def _copy(source: NDArray[Any], to: NDArray[Any]) -> None:
    for k in range(len(source)):
        to[k] = source[k]


@kernel(nogil=True)
def read_snapshots(snapshots: Snapshots, n: int, out: NDArray[np.float32]) -> None:
    """Fill `out` (n, number columns) with the features of the first n rows."""
    small = snapshots.state
    for i in range(n):
        totals = Totals(
            snapshots.totals[i],
            small.totals.taste_basis,
            small.totals.taste_information,
            small.totals.fold,
            small.totals.facet_fold,
            snapshots.learner[i],
        )
        as_of = StateArrays(
            small.shape,
            totals,
            small.users,
            small.objects,
            small.values,
            small.content,
            small.pending,
            small.user_value,
            small.user_object,
            small.object_context,
        )
        read_numbers(
            as_of,
            1 + i,
            snapshots.objects[i : i + 1],
            snapshots.context[i],
            snapshots.time[i],
            snapshots.user_time[i],
            out[i : i + 1],
        )
