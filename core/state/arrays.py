"""The arrays of the state, grouped for the kernels, and how they grow and are stored.

Row 0 of users and objects is nobody: unknown ids read it, and it is never written. Value id 0 is
absent or unknown, value id 1 is a value that no event has shown; real values start at 2. What is
read together lies together: one row of `counts` is one or two cache lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.schema import Schema
from core.state.content import Content, new_content
from core.state.hashing import PairTable, grown, new_pair_table

LATENT = 32
"""Dimensions of the user x object factorisation."""
FACET_LATENT = 16
"""Dimensions of the user x main facet factorisation."""
VISIT_GAP_S = 1800.0
"""A visit ends when a user has met nothing for so long."""
RECENT = 20
"""How many of a user's latest objects are kept."""
FACTORS = 8
"""Dimensions of the online learner's interactions."""
MEAN = 2 * (1 + FACTORS)
"""Where the mean of an effect lies in `weights`, and then what labels took off its variance: see
`core.state.beliefs`."""
WEIGHTS = MEAN + 2
"""A weight and its factors, the squared gradients of each, a mean and a variance."""

# Columns of `counts`, the same for users, objects and values. Labels are decayed as of LABEL_TIME,
# interactions as of LAST; from DECAYED on, one column a half-life. REPEATS are interactions of
# pairs that had met before.
COUNT, LAST, LABEL_N, LABEL_SUM, LABEL_TIME, LIKES, DISLIKES, SKIPS, DISTINCT = range(9)
REPEATS, DECAYED = 9, 10

# Columns of `Users.trail`: how many entries went into the ring of recent objects, the value ids of
# the latest context, and from MET + 1 + contexts on the ring (meeting i stands at i % RECENT).
MET = 0

# Columns of `tags`; LISTENERS of main facet values alone.
IS_BASE, VERSION, CODE, LISTENERS = range(4)

# Entries of `Totals.learner`: bias and slope with their squared gradients, rows in use; from
# BELIEF_BIAS and BELIEF_SLOPE on, the mean of an effect and what labels took off its variance.
BIAS, BIAS_SQUARES, SLOPE, SLOPE_SQUARES, LEARNERS = range(5)
BELIEF_BIAS, BELIEF_SLOPE = 5, 7
LEARNER = 9

# Columns of PairTable rows.
UV_COUNT, UV_LABEL_N, UV_LABEL_SUM, UV_LIKING, UV_REPEATS, UV_DECAYED = range(6)
UV_MEAN = 6  # of an effect; what labels took off its variance stands after it
UV_WIDTH = 8
UO_COUNT, UO_OPINION, UO_SKIPS, UO_DECAYED = range(4)
PAST_HALF_LIVES = 3
"""Half-lives by which the meetings of a pair decay."""
UO_WIDTH = UO_DECAYED + PAST_HALF_LIVES
"""From UO_DECAYED on, meetings decayed as of UO_LAST by `Shape.past_half_lives`."""
OC_COUNT = 0
# Columns of PairTable marks. Moments are whole seconds since the state's origin (`whole_s`); the
# pending label of a pair is its slot + 1, 0 if it has none. UO_BEFORE is the object that the user
# had first met before this one, 0 if none.
UV_LAST, UV_LABEL_TIME, UV_FIRST = range(3)
UO_LAST, UO_PENDING, UO_FIRST, UO_BEFORE = range(4)
UO_MARKS = 4

# Entries of `Totals.numbers`; the last two are the lengths of the longest frozen vectors, of
# objects and of main facet values.
ORIGIN, CLOCK, EVENTS, ALL_LABELS, ALL_POSITIVES, LAST_TIME, TIE_GROUP = range(7)
LONGEST, LONGEST_FACET = 7, 8

# Columns of `Pending.entries`; from P_CONTEXT on, one column a context field.
P_USER, P_OBJECT, P_TIE, P_LABEL, P_ROW, P_SERIAL, P_CONTEXT = range(7)
# Entries of `Pending.sizes`.
HEAPED, FREE, NEXT_SERIAL = range(3)


class Users(NamedTuple):
    """n users."""

    counts: NDArray[np.float64]
    """(n, DECAYED + half-lives) on the user's clock; DISTINCT counts objects."""
    numbers: NDArray[np.float64]
    """(n, number and timestamp fields) attributes, NaN absent."""
    values: NDArray[np.int32]
    """(n, category fields) value ids."""
    distinct: NDArray[np.float64]
    """(n, facets) distinct values met."""
    visits: NDArray[np.float64]
    """(n, half-lives) visits, decayed as of LAST: meetings less than VISIT_GAP_S after the one
    before belong to the same visit."""
    trail: NDArray[np.int32]
    """(n, 1 + context fields + RECENT)"""
    vector: NDArray[np.float32]
    """(n, LATENT) sum of the vectors of the objects met."""
    facet_vector: NDArray[np.float32]
    """(n, FACET_LATENT) weighted sum of the vectors of the main facet values met."""
    anchor: NDArray[np.float32]
    """(n, LATENT) the part of `vector` that comes from frozen objects. Only it moves late objects:
    if these moved each other through their listeners, vectors would grow without bound."""
    facet_anchor: NDArray[np.float32]
    """(n, FACET_LATENT) the same part of `facet_vector`."""
    recent: NDArray[np.float64]
    """(n, LATENT + 1) sum of the vectors of the objects met, each faded since its latest meeting by
    the half-life of taste, and last the sum of these weights."""
    recent_at: NDArray[np.int64]
    """(n,) the moment of `recent`, whole seconds since the origin on the user's clock."""
    weights: NDArray[np.float32]
    """(n, WEIGHTS) of the online learner, see `core.state.learning`."""
    newest: NDArray[np.int32]
    """(n,) the object that the user first met latest: from it UO_BEFORE leads to every object that
    the user has met, see `core.state.own_past`."""


class Objects(NamedTuple):
    """n objects."""

    counts: NDArray[np.float64]
    """(n, DECAYED + half-lives); DISTINCT counts users."""
    numbers: NDArray[np.float64]
    """(n, number and timestamp fields) attributes, NaN absent."""
    values: NDArray[np.int32]
    """(n, value slots) value ids of all category fields, facets first."""
    pools: NDArray[np.bool_]
    """(n, pools)"""
    tags: NDArray[np.int64]
    """(n, 2) IS_BASE and VERSION, which rises whenever the object's own state changes."""
    vector: NDArray[np.float32]
    """(n, LATENT) frozen for objects met before the latest fit, else folded in from listeners."""
    weights: NDArray[np.float32]
    """(n, WEIGHTS) of the online learner."""


class Values(NamedTuple):
    """n category values of object fields, contexts and, for their codes alone, user fields."""

    counts: NDArray[np.float64]
    """(n, DECAYED + half-lives); DISTINCT counts objects."""
    tags: NDArray[np.int64]
    """(n, 4) IS_BASE, VERSION (rises when `vector` changes or the first event shows the value),
    CODE, the position in the field's own vocabulary, from 1, and LISTENERS, users who met it."""
    vector: NDArray[np.float32]
    """(n, FACET_LATENT) of main facet values: frozen where met before the latest fit, else folded
    in."""
    object_mean: NDArray[np.float32]
    """(n, LATENT) what a facet value adds to the vectors of its objects, see
    `core.state.folding.vectors_by_facets`."""
    weights: NDArray[np.float32]
    """(n, WEIGHTS) of the online learner."""


class Pending(NamedTuple):
    """Labels that have not matured: slots, a heap over them and a list of free slots."""

    entries: NDArray[np.int64]
    """(capacity, P_CONTEXT + context fields); P_LABEL is 1 known or returned, 0 known negative,
    -1 no return seen yet; P_ROW is the row of the log to report to, -1 live."""
    matures_at: NDArray[np.float64]
    match: NDArray[np.float64]
    """(capacity,) product of the user's taste of late and the object, when they met."""
    heap: NDArray[np.int64]
    """Slots ordered by maturity, then arrival."""
    free: NDArray[np.int64]
    """Slots that may be used."""
    sizes: NDArray[np.int64]
    """(3,) HEAPED, FREE and NEXT_SERIAL."""


class Shape(NamedTuple):
    """What the kernels must know of the schema."""

    facet_start: NDArray[np.int64]
    """(facets + 1,) bounds of each facet's slots in `Objects.values`."""
    slot_start: NDArray[np.int64]
    """(object category fields + 1,) bounds of each field's slots, facets first."""
    main_slot: NDArray[np.int64]
    """(1,) slot of the main facet."""
    main_facet: NDArray[np.int64]
    """(1,) its place among the facets."""
    half_lives: NDArray[np.float64]
    past_half_lives: NDArray[np.float64]
    """(2,) the two longest of them, the longest last; the same twice where there is but one."""
    outcome_half_life: NDArray[np.float64]
    """(1,)"""
    taste_half_life: NDArray[np.float64]
    """(1,)"""
    effect_variances: NDArray[np.float64]
    """(6,) of `core.schema.EffectVariances`, in its order."""
    user_is_time: NDArray[np.bool_]
    """(user number fields,) whether it is a timestamp."""
    object_is_time: NDArray[np.bool_]


class Totals(NamedTuple):
    """Numbers of the whole log so far."""

    numbers: NDArray[np.float64]
    """(9,) ORIGIN (moment of the first event, NaN before any), CLOCK (latest moment seen), EVENTS,
    ALL_LABELS, ALL_POSITIVES, moment and tie group of the latest event, and the lengths of the
    longest frozen vectors."""
    taste_basis: NDArray[np.float64]
    """(2, LATENT, LATENT) how a sum of vectors becomes a taste: the basis of a
    `choice_model.Posterior` and its transpose, 0 before any fit."""
    taste_information: NDArray[np.float64]
    """(LATENT,) its information."""
    fold: NDArray[np.float32]
    """(LATENT, LATENT) leads from a listener's taste to what it adds to an object that came after
    the fit; 0 before any fit."""
    facet_fold: NDArray[np.float32]
    """(FACET_LATENT, FACET_LATENT)"""
    learner: NDArray[np.float64]
    """(LEARNER,) bias and slope of the online learner, see `core.state.learning` and `beliefs`."""


class StateArrays(NamedTuple):
    """Everything that the kernels read and write."""

    shape: Shape
    totals: Totals
    users: Users
    objects: Objects
    values: Values
    content: Content
    pending: Pending
    user_value: PairTable
    user_object: PairTable
    object_context: PairTable


def new_arrays(schema: Schema, shape: Shape) -> StateArrays:
    """Arrays for no entities at all."""
    width, contexts = DECAYED + len(schema.half_lives_s), len(schema.context)
    totals = np.zeros(LONGEST_FACET + 1)
    totals[[ORIGIN, CLOCK, LAST_TIME, TIE_GROUP]] = np.nan, -np.inf, -np.inf, -1
    return StateArrays(
        shape=shape,
        totals=Totals(
            totals,
            np.zeros((2, LATENT, LATENT)),
            np.zeros(LATENT),
            np.zeros((LATENT, LATENT), np.float32),
            np.zeros((FACET_LATENT, FACET_LATENT), np.float32),
            np.zeros(LEARNER),
        ),
        users=Users(
            np.zeros((0, width)),
            np.zeros((0, len(shape.user_is_time))),
            np.zeros((0, len(schema.user) - len(shape.user_is_time)), np.int32),
            np.zeros((0, len(schema.facets))),
            np.zeros((0, len(schema.half_lives_s))),
            np.zeros((0, 1 + contexts + RECENT), np.int32),
            np.zeros((0, LATENT), np.float32),
            np.zeros((0, FACET_LATENT), np.float32),
            np.zeros((0, LATENT), np.float32),
            np.zeros((0, FACET_LATENT), np.float32),
            np.zeros((0, LATENT + 1)),
            np.zeros(0, np.int64),
            np.zeros((0, WEIGHTS), np.float32),
            np.zeros(0, np.int32),
        ),
        objects=Objects(
            np.zeros((0, width)),
            np.zeros((0, len(shape.object_is_time))),
            np.zeros((0, int(shape.slot_start[-1])), np.int32),
            np.zeros((0, len(schema.pools)), np.bool_),
            np.zeros((0, 2), np.int64),
            np.zeros((0, LATENT), np.float32),
            np.zeros((0, WEIGHTS), np.float32),
        ),
        values=Values(
            np.zeros((0, width)),
            np.zeros((0, 4), np.int64),
            np.zeros((0, FACET_LATENT), np.float32),
            np.zeros((0, LATENT), np.float32),
            np.zeros((0, WEIGHTS), np.float32),
        ),
        content=new_content(schema),
        pending=Pending(
            np.zeros((0, P_CONTEXT + contexts), np.int64),
            np.zeros(0),
            np.zeros(0),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros(3, np.int64),
        ),
        user_value=new_pair_table(UV_WIDTH, 3),
        user_object=new_pair_table(UO_WIDTH, UO_MARKS),
        object_context=new_pair_table(1, 0),
    )


Group = TypeVar("Group", Users, Objects, Values)


def with_rows(group: Group, n: int) -> Group:
    """The group with capacity for at least n rows: itself, or copies of doubled size."""
    old = len(group.counts)
    if n <= old:
        return group
    larger = type(group)(*_enlarged(group, max(n, 2 * old, 16)))
    larger.counts[old:, LAST] = -np.inf
    if not isinstance(larger, Values):
        larger.numbers[old:] = np.nan
    return larger


def _enlarged(arrays: tuple[NDArray[Any], ...], capacity: int) -> list[NDArray[Any]]:
    """Copies with more rows, zero where new."""
    copies = []
    for array in arrays:
        copy = np.zeros((capacity, *array.shape[1:]), array.dtype)
        copy[: len(array)] = array
        copies.append(copy)
    return copies


def _with_pending_room(pending: Pending, extra: int) -> Pending:
    """The pending labels with at least `extra` free slots."""
    if pending.sizes[FREE] >= extra:
        return pending
    old = len(pending.heap)
    capacity = max(2 * old, old + extra, 64)
    larger = Pending(*_enlarged(pending[:-1], capacity), pending.sizes)  # type: ignore[call-arg]
    added = np.arange(capacity - 1, old - 1, -1)  # low slots are used first
    free = int(pending.sizes[FREE])
    larger.free[free : free + len(added)] = added
    larger.sizes[FREE] += len(added)
    return larger


def context_fields(arrays: StateArrays) -> int:
    """How many fields a context has."""
    return int(arrays.pending.entries.shape[1]) - P_CONTEXT


def with_pair_room(arrays: StateArrays, events: int) -> StateArrays:
    """The arrays with room for the pairs and pending labels that `events` more events can add.

    A label that matures adds no pair that its event had not added.
    """
    contexts = context_fields(arrays)
    per_user = arrays.objects.values.shape[1] + contexts
    return arrays._replace(
        pending=_with_pending_room(arrays.pending, events),
        user_value=grown(arrays.user_value, events * per_user),
        user_object=grown(arrays.user_object, events),
        object_context=grown(arrays.object_context, events * contexts),
    )


_GROUPS: Mapping[str, Any] = {
    "shape": Shape,
    "totals": Totals,
    "users": Users,
    "objects": Objects,
    "values": Values,
    "content": Content,
    "pending": Pending,
    "user_value": PairTable,
    "user_object": PairTable,
    "object_context": PairTable,
}


def save_arrays(arrays: StateArrays, directory: Path) -> None:
    """Write one .npy file an array: `<group>.<array>.npy`; none of content where there is none."""
    for group_name, group_type in _GROUPS.items():
        group = getattr(arrays, group_name)
        if group_name == "content" and not arrays.content.has_space:
            continue
        for name in group_type._fields:
            np.save(directory / f"{group_name}.{name}.npy", getattr(group, name))


def load_arrays(directory: Path, blank: StateArrays) -> StateArrays:
    """Open what `save_arrays` wrote by memory map, copy on write: the files never change.

    `blank` are the arrays of a new state of the same schema.
    """
    groups = {
        group: cls(**{name: _open(directory / f"{group}.{name}.npy") for name in cls._fields})
        for group, cls in _GROUPS.items()
        if group != "content" or blank.content.has_space
    }
    return blank._replace(**groups)


def _open(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        empty = 0 in np.lib.format.read_array_header_1_0(file)[0]
    # An array without elements cannot be mapped.
    return np.asarray(np.load(path, mmap_mode=None if empty else "c", allow_pickle=False))
