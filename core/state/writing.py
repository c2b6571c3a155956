"""The write side: what one event and one matured label change. O(number of features)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.state.arithmetic import decay, whole_s
from core.state.arrays import (
    ALL_LABELS,
    ALL_POSITIVES,
    CLOCK,
    COUNT,
    DECAYED,
    DISLIKES,
    DISTINCT,
    EVENTS,
    HEAPED,
    IS_BASE,
    LABEL_N,
    LABEL_SUM,
    LABEL_TIME,
    LAST,
    LAST_TIME,
    LIKES,
    LISTENERS,
    LONGEST,
    LONGEST_FACET,
    MET,
    OC_COUNT,
    ORIGIN,
    P_CONTEXT,
    P_LABEL,
    P_OBJECT,
    P_ROW,
    P_TIE,
    P_USER,
    RECENT,
    REPEATS,
    SKIPS,
    TIE_GROUP,
    UO_COUNT,
    UO_LAST,
    UO_OPINION,
    UO_PENDING,
    UO_SKIPS,
    UV_COUNT,
    UV_DECAYED,
    UV_FIRST,
    UV_LABEL_N,
    UV_LABEL_SUM,
    UV_LABEL_TIME,
    UV_LAST,
    UV_LIKING,
    UV_REPEATS,
    VERSION,
    Pending,
    StateArrays,
    Totals,
    Values,
)
from core.state.families.latent import SMOOTHING, recent_match
from core.state.hashing import PairTable, find_or_add, pair_key
from core.state.learning import learn
from core.state.pending import pop, push

INTERACTION, LIKE, DISLIKE, UNLIKE, SKIP = range(5)
"""What the kernels distinguish of outcomes; play, replay, purchase and booking are interactions."""


@njit(cache=True)
def advance(s: StateArrays, time: float, labels_out: NDArray[np.int8]) -> None:
    """Let every label mature whose horizon closed before `time`; nothing else.

    A return at the very end of the horizon counts, and events of that moment may be yet to come:
    so a label that is due at `time` itself still waits. The labels of log rows are also written to
    `labels_out[row]`.
    """
    p = s.pending
    half_life = s.shape.outcome_half_life[0]
    origin = s.totals.numbers[ORIGIN]
    while p.sizes[HEAPED] > 0 and p.matures_at[p.heap[0]] < time:
        slot = pop(p)
        entry = p.entries[slot]
        moment = p.matures_at[slot]
        user, obj = entry[P_USER], entry[P_OBJECT]
        label = 1.0 if entry[P_LABEL] == 1 else 0.0
        s.totals.numbers[ALL_LABELS] += 1.0
        s.totals.numbers[ALL_POSITIVES] += label
        _count_label(s.users.counts[user], label, moment, half_life)
        _count_label(s.objects.counts[obj], label, moment, half_life)
        values = s.objects.values[obj]
        for i in range(len(values)):
            if values[i] != 0:
                _count_label(s.values.counts[values[i]], label, moment, half_life)
                _count_pair_label(s.user_value, user, values[i], label, moment - origin, half_life)
        for i in range(P_CONTEXT, len(entry)):
            if entry[i] != 0:
                _count_label(s.values.counts[entry[i]], label, moment, half_life)
                _count_pair_label(s.user_value, user, entry[i], label, moment - origin, half_life)
        learn(
            user,
            obj,
            entry[P_CONTEXT:],
            p.match[slot],
            label,
            s.totals,
            s.users,
            s.objects,
            s.values,
        )
        met = find_or_add(s.user_object, pair_key(user, obj))
        if s.user_object.marks[met, UO_PENDING] == slot + 1:  # the pair's latest label
            s.user_object.marks[met, UO_PENDING] = 0
        # Rows of a log that was replayed before, in a bundle say, have nobody to report to.
        if 0 <= entry[P_ROW] < len(labels_out):
            labels_out[entry[P_ROW]] = np.int8(label)
    s.totals.numbers[CLOCK] = max(s.totals.numbers[CLOCK], time)


@njit(cache=True)
def _count_label(counts: NDArray[np.float64], label: float, time: float, half_life: float) -> None:
    faded = decay(time - counts[LABEL_TIME], half_life)
    counts[LABEL_N] = counts[LABEL_N] * faded + 1.0
    counts[LABEL_SUM] = counts[LABEL_SUM] * faded + label
    counts[LABEL_TIME] = time


@njit(cache=True)
def _count_pair_label(
    user_value: PairTable,
    user: int,
    value: int,
    label: float,
    since_origin: float,
    half_life: float,
) -> None:
    slot = find_or_add(user_value, pair_key(user, value))
    row, marks = user_value.rows[slot], user_value.marks[slot]
    faded = decay(since_origin - marks[UV_LABEL_TIME], half_life)
    row[UV_LABEL_N] = row[UV_LABEL_N] * faded + 1.0
    row[UV_LABEL_SUM] = row[UV_LABEL_SUM] * faded + label
    marks[UV_LABEL_TIME] = whole_s(since_origin)


@njit(cache=True)
def interact(
    s: StateArrays,
    user: int,
    obj: int,
    context: NDArray[np.int32],
    time: float,
    user_time: float,
    tie_group: int,
    label: int,
    matures_at: float,
    row: int,
) -> None:
    """Write one interaction; the first of its pair opens a label.

    `label` is 1, 0 or -1 (found out by later interactions).
    """
    _begin(s.totals, time, tie_group)
    user_since_origin = user_time - s.totals.numbers[ORIGIN]
    half_lives = s.shape.half_lives
    values = s.objects.values[obj]
    main_slot = s.shape.main_slot[0]
    pair = find_or_add(s.user_object, pair_key(user, obj))
    met, marks = s.user_object.rows[pair], s.user_object.marks[pair]
    if marks[UO_PENDING] > 0:
        _see_return(s.pending, marks[UO_PENDING] - 1, tie_group, time)
    if met[UO_COUNT] == 0.0:
        _, match = recent_match(s.users.recent[user], s.objects.vector[obj])
        match = 0.0 if np.isnan(match) else match
        slot = push(s.pending, user, obj, context, matures_at, match, tie_group, label, row)
        marks[UO_PENDING] = slot + 1
    _show_values(s.values, s.users.values[user])
    first_of_object = s.objects.counts[obj, COUNT] == 0.0
    repeats = 1.0 if met[UO_COUNT] > 0.0 else 0.0
    _count(s.users.counts[user], user_time, half_lives, repeats)
    _count(s.objects.counts[obj], time, half_lives, repeats)
    main_before = 0.0
    for i in range(len(values)):
        if values[i] == 0:
            continue
        _count_value(s.values, values[i], time, half_lives, first_of_object, repeats)
        before = _meet_value(
            s.user_value, user, values[i], user_since_origin, half_lives[-1], repeats
        )
        if i == main_slot:
            main_before = before
        if before == 0.0:
            _count_distinct(s.users.distinct[user], s.shape.facet_start, i)
    for i in range(len(context)):
        if context[i] != 0:
            _count_value(s.values, context[i], time, half_lives, False, repeats)
            _meet_value(s.user_value, user, context[i], user_since_origin, half_lives[-1], repeats)
            in_context = find_or_add(s.object_context, pair_key(obj, context[i]))
            s.object_context.rows[in_context, OC_COUNT] += 1.0
        s.users.trail[user, MET + 1 + i] = context[i]
    if met[UO_COUNT] == 0.0:
        s.users.counts[user, DISTINCT] += 1.0
        s.objects.counts[obj, DISTINCT] += 1.0
        if s.objects.tags[obj, IS_BASE] == 0 and s.totals.numbers[LONGEST] > 0.0:
            _fold_in(
                s.objects.vector[obj],
                s.users.anchor[user],
                s.users.counts[user, DISTINCT],
                s.objects.counts[obj, DISTINCT],
                s.totals.fold,
                s.totals.numbers[LONGEST],
            )
        pulled_by_like = met[UO_OPINION] > 0.0 and s.objects.tags[obj, IS_BASE] != 0
        if not pulled_by_like:
            _pull(s, user, obj, np.float32(1.0))
    if values[main_slot] != 0:
        _meet_main_facet(
            s.users.facet_vector[user],
            s.users.facet_anchor[user],
            s.users.distinct[user, s.shape.main_facet[0]],
            s.values,
            values[main_slot],
            main_before,
            s.totals.facet_fold,
            s.totals.numbers[LONGEST_FACET],
        )
    _meet_lately(
        s.users.recent[user],
        s.users.recent_at,
        user,
        s.objects.vector[obj],
        whole_s(user_since_origin),
        marks[UO_LAST] if met[UO_COUNT] > 0.0 else whole_s(user_since_origin),
        met[UO_COUNT] > 0.0,
        half_lives[-1],
    )
    met[UO_COUNT] += 1.0
    marks[UO_LAST] = whole_s(user_since_origin)
    _remember(s.users.trail[user], obj)
    s.objects.tags[obj, VERSION] += 1
    s.totals.numbers[EVENTS] += 1.0


@njit(cache=True)
def _meet_lately(
    recent: NDArray[np.float64],
    recent_at: NDArray[np.int64],
    user: int,
    vector: NDArray[np.float32],
    now: int,
    last_met: int,
    met_before: bool,
    half_life: float,
) -> None:
    """Fade what the user met lately, and let this object count in full again."""
    faded = decay(now - recent_at[user], half_life)
    weight = 1.0 - decay(now - last_met, half_life) if met_before else 1.0
    for i in range(len(vector)):
        recent[i] = recent[i] * faded + weight * vector[i]
    recent[len(vector)] = recent[len(vector)] * faded + weight
    recent_at[user] = max(now, recent_at[user])


@njit(cache=True)
def _begin(totals: Totals, time: float, tie_group: int) -> None:
    if np.isnan(totals.numbers[ORIGIN]):
        totals.numbers[ORIGIN] = time
    totals.numbers[LAST_TIME] = max(time, totals.numbers[LAST_TIME])
    totals.numbers[TIE_GROUP] = tie_group


@njit(cache=True)
def _see_return(p: Pending, slot: int, tie_group: int, time: float) -> None:
    """A meeting in another moment and within the horizon settles an open label."""
    entry = p.entries[slot]
    if entry[P_LABEL] == -1 and entry[P_TIE] != tie_group and time <= p.matures_at[slot]:
        entry[P_LABEL] = 1


@njit(cache=True)
def _count(
    counts: NDArray[np.float64], time: float, half_lives: NDArray[np.float64], repeats: float
) -> None:
    elapsed = time - counts[LAST]
    for h in range(len(half_lives)):
        counts[DECAYED + h] = counts[DECAYED + h] * decay(elapsed, half_lives[h]) + 1.0
    counts[COUNT] += 1.0
    counts[REPEATS] += repeats
    counts[LAST] = max(time, counts[LAST])


@njit(cache=True)
def _count_value(
    values: Values,
    value: int,
    time: float,
    half_lives: NDArray[np.float64],
    first_of_object: bool,
    repeats: float,
) -> None:
    counts = values.counts[value]
    if counts[COUNT] == 0.0:
        values.tags[value, VERSION] += 1  # its code becomes known
    if first_of_object:
        counts[DISTINCT] += 1.0
    _count(counts, time, half_lives, repeats)


@njit(cache=True)
def _show_values(values: Values, shown: NDArray[np.int32]) -> None:
    """Make the codes of a user's values known."""
    for i in range(len(shown)):
        if shown[i] != 0:
            values.counts[shown[i], COUNT] += 1.0


@njit(cache=True)
def _meet_value(
    user_value: PairTable,
    user: int,
    value: int,
    user_since_origin: float,
    half_life: float,
    repeats: float,
) -> float:
    """Count the meeting of user and value; returns how often they had met before."""
    pair = find_or_add(user_value, pair_key(user, value))
    row, marks = user_value.rows[pair], user_value.marks[pair]
    now = whole_s(user_since_origin)
    before = float(row[UV_COUNT])
    if before == 0.0:
        marks[UV_FIRST] = now
    row[UV_DECAYED] = row[UV_DECAYED] * decay(now - marks[UV_LAST], half_life) + 1.0
    row[UV_COUNT] += 1.0
    row[UV_REPEATS] += repeats
    marks[UV_LAST] = now
    return before


@njit(cache=True)
def _count_distinct(
    distinct: NDArray[np.float64], facet_start: NDArray[np.int64], slot: int
) -> None:
    for f in range(len(distinct)):
        if facet_start[f] <= slot < facet_start[f + 1]:
            distinct[f] += 1.0


@njit(cache=True)
def _remember(trail: NDArray[np.int32], obj: int) -> None:
    ring = len(trail) - RECENT
    trail[ring + trail[MET] % RECENT] = obj
    trail[MET] += 1


@njit(cache=True)
def _add(to: NDArray[np.float32], vector: NDArray[np.float32], weight: np.float32) -> None:
    for i in range(len(to)):
        to[i] += weight * vector[i]


@njit(cache=True)
def _pull(s: StateArrays, user: int, obj: int, weight: np.float32) -> None:
    """Draw the user's vector to an object, or away again."""
    _add(s.users.vector[user], s.objects.vector[obj], weight)
    if s.objects.tags[obj, IS_BASE] != 0:
        _add(s.users.anchor[user], s.objects.vector[obj], weight)


@njit(cache=True)
def _fold_in(
    vector: NDArray[np.float32],
    listener: NDArray[np.float32],
    listener_objects: float,
    listeners: float,
    fold: NDArray[np.float32],
    longest: float,
) -> None:
    """Let a new listener move the vector of an object that came after the fit.

    A frozen vector is the sum of what its n listeners' means add, over n + SMOOTHING. So this one
    is the mean over its listeners so far and SMOOTHING times where it began, the mean of its main
    facet value. Only what listeners met of frozen objects counts (their anchor): late objects must
    not move each other, or they would grow on each other without end.
    """
    share = 1.0 / (listeners + SMOOTHING)
    mean = 1.0 / (listener_objects + SMOOTHING)
    for i in range(len(vector)):
        added = 0.0
        for j in range(len(vector)):
            added += np.float64(fold[i, j]) * np.float64(listener[j])
        vector[i] += np.float32(share * (mean * added - np.float64(vector[i])))
    _shorten(vector, longest)


@njit(cache=True)
def _shorten(vector: NDArray[np.float32], longest: float) -> None:
    """Keep the direction of a vector, and its length within that of the base period's longest."""
    square = 0.0
    for i in range(len(vector)):
        square += float(vector[i]) * float(vector[i])
    if square > longest * longest:
        scale = np.float32(longest / np.sqrt(square))
        for i in range(len(vector)):
            vector[i] *= scale


@njit(cache=True)
def facet_weight(count: float) -> float:
    """The entry of the user x main facet matrix: 0.3 * log1p(n) + 1[n > 0]."""
    return float(0.3 * np.log1p(count) + (1.0 if count > 0.0 else 0.0))


@njit(cache=True)
def _meet_main_facet(
    user: NDArray[np.float32],
    anchor: NDArray[np.float32],
    user_values: float,
    values: Values,
    value: int,
    before: float,
    fold: NDArray[np.float32],
    longest: float,
) -> None:
    """Move the user's facet vector by the raised weight, and a late facet value by its listener."""
    raised = np.float32(facet_weight(before + 1.0) - facet_weight(before))
    vector = values.vector[value]
    if before == 0.0:
        values.tags[value, LISTENERS] += 1
        if values.tags[value, IS_BASE] == 0 and longest > 0.0:
            _fold_in(vector, anchor, user_values, values.tags[value, LISTENERS], fold, longest)
            values.tags[value, VERSION] += 1
    if values.tags[value, IS_BASE] != 0:
        _add(anchor, vector, raised)
    _add(user, vector, raised)


@njit(cache=True)
def react(s: StateArrays, user: int, obj: int, kind: int, time: float, tie_group: int) -> None:
    """Write a like, dislike, unlike or skip. Repeating an opinion changes nothing."""
    _begin(s.totals, time, tie_group)
    met = s.user_object.rows[find_or_add(s.user_object, pair_key(user, obj))]
    if kind == SKIP:
        met[UO_SKIPS] += 1.0
        s.users.counts[user, SKIPS] += 1.0
        s.objects.counts[obj, SKIPS] += 1.0
        s.objects.tags[obj, VERSION] += 1
        return
    opinion = 1.0 if kind == LIKE else (-1.0 if kind == DISLIKE else 0.0)
    before = float(met[UO_OPINION])
    if opinion == before:
        return
    _count_opinion(s.users.counts[user], before, -1.0)
    _count_opinion(s.objects.counts[obj], before, -1.0)
    _count_opinion(s.users.counts[user], opinion, 1.0)
    _count_opinion(s.objects.counts[obj], opinion, 1.0)
    values = s.objects.values[obj]
    for i in range(len(values)):
        if values[i] != 0:
            liking = find_or_add(s.user_value, pair_key(user, values[i]))
            s.user_value.rows[liking, UV_LIKING] += opinion - before
    # What is only liked pulls taste as a meeting would, if its vector is frozen: an unlike takes
    # back just what the like gave.
    if met[UO_COUNT] == 0.0 and s.objects.tags[obj, IS_BASE] != 0:
        if opinion > 0.0:
            _pull(s, user, obj, np.float32(1.0))
        elif before > 0.0:
            _pull(s, user, obj, np.float32(-1.0))
    if opinion > 0.0:
        _remember(s.users.trail[user], obj)
    met[UO_OPINION] = opinion
    s.objects.tags[obj, VERSION] += 1


@njit(cache=True)
def _count_opinion(counts: NDArray[np.float64], opinion: float, change: float) -> None:
    if opinion > 0.0:
        counts[LIKES] += change
    elif opinion < 0.0:
        counts[DISLIKES] += change
