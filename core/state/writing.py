"""The write side: what one event and one matured label change. O(number of features)."""

from __future__ import annotations

import numpy as np
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
    VISIT_GAP_S,
    Pending,
    StateArrays,
    Totals,
    Values,
)
from core.state.beliefs import believe
from core.state.compiling import kernel
from core.state.families.content import meet_content
from core.state.fetching import fetch_event, hint
from core.state.folding import match_now, meet_lately, meet_main_facet, meet_object, pull
from core.state.hashing import PairTable, find_or_add, pair_key
from core.state.learning import learn
from core.state.own_past import meet_own
from core.state.pending import pop, push

INTERACTION, LIKE, DISLIKE, UNLIKE, SKIP = range(5)
"""What the kernels distinguish of outcomes; play, replay, purchase and booking are interactions."""


@kernel()
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
        if p.sizes[HEAPED] > 0:
            coming = p.entries[p.heap[0]]
            fetch_event(s, coming[P_USER], coming[P_OBJECT], coming[P_CONTEXT:])
            for i in range(1, min(3, p.sizes[HEAPED])):  # one of these comes after
                hint(p.entries[p.heap[i]])
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
        believe(
            user,
            obj,
            entry[P_CONTEXT:],
            p.match[slot],
            label,
            s.shape,
            s.totals,
            s.users,
            s.objects,
            s.values,
            s.user_value,
        )
        met = find_or_add(s.user_object, pair_key(user, obj))
        if s.user_object.marks[met, UO_PENDING] == slot + 1:  # the pair's latest label
            s.user_object.marks[met, UO_PENDING] = 0
        # Rows of a log that was replayed before, in a bundle say, have nobody to report to.
        if 0 <= entry[P_ROW] < len(labels_out):
            labels_out[entry[P_ROW]] = np.int8(label)
    s.totals.numbers[CLOCK] = max(s.totals.numbers[CLOCK], time)


@kernel()
def _count_label(counts: NDArray[np.float64], label: float, time: float, half_life: float) -> None:
    faded = decay(time - counts[LABEL_TIME], half_life)
    counts[LABEL_N] = counts[LABEL_N] * faded + 1.0
    counts[LABEL_SUM] = counts[LABEL_SUM] * faded + label
    counts[LABEL_TIME] = time


@kernel()
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


@kernel()
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
    fading = s.shape.taste_half_life[0]
    if met[UO_COUNT] == 0.0:
        match = match_now(user, obj, user_since_origin, s.users, s.objects, s.totals, fading)
        slot = push(s.pending, user, obj, context, matures_at, match, tie_group, label, row)
        marks[UO_PENDING] = slot + 1
    _show_values(s.values, s.users.values[user])
    first_of_object = s.objects.counts[obj, COUNT] == 0.0
    repeats = 1.0 if met[UO_COUNT] > 0.0 else 0.0
    _count_visit(s.users.visits[user], user_time - s.users.counts[user, LAST], half_lives)
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
        meet_object(user, obj, met[UO_OPINION] > 0.0, s.users, s.objects, s.totals)
    if values[main_slot] != 0:
        main_distinct = s.users.distinct[user, s.shape.main_facet[0]]
        meet_main_facet(
            user, values[main_slot], main_before, main_distinct, s.users, s.values, s.totals
        )
    now = whole_s(user_since_origin)
    weight = 1.0 - decay(now - marks[UO_LAST], fading) * repeats
    meet_lately(user, s.objects.vector[obj], now, weight, fading, s.users)
    meet_content(user, obj, now, fading, s.content)
    meet_own(user, obj, now, met, marks, s.users.newest, s.shape.past_half_lives)
    _remember(s.users.trail[user], obj)
    s.objects.tags[obj, VERSION] += 1
    s.totals.numbers[EVENTS] += 1.0


@kernel()
def _begin(totals: Totals, time: float, tie_group: int) -> None:
    if np.isnan(totals.numbers[ORIGIN]):
        totals.numbers[ORIGIN] = time
    totals.numbers[LAST_TIME] = max(time, totals.numbers[LAST_TIME])
    totals.numbers[TIE_GROUP] = tie_group


@kernel()
def _see_return(p: Pending, slot: int, tie_group: int, time: float) -> None:
    """A meeting in another moment and within the horizon settles an open label."""
    entry = p.entries[slot]
    if entry[P_LABEL] == -1 and entry[P_TIE] != tie_group and time <= p.matures_at[slot]:
        entry[P_LABEL] = 1


@kernel()
def _count(
    counts: NDArray[np.float64], time: float, half_lives: NDArray[np.float64], repeats: float
) -> None:
    elapsed = time - counts[LAST]
    for h in range(len(half_lives)):
        counts[DECAYED + h] = counts[DECAYED + h] * decay(elapsed, half_lives[h]) + 1.0
    counts[COUNT] += 1.0
    counts[REPEATS] += repeats
    counts[LAST] = max(time, counts[LAST])


@kernel()
def _count_visit(
    visits: NDArray[np.float64], elapsed: float, half_lives: NDArray[np.float64]
) -> None:
    """Fade the visits, `elapsed` after the meeting before, and count one if it is a new one."""
    for h in range(len(half_lives)):
        visits[h] *= decay(elapsed, half_lives[h])
        if elapsed >= VISIT_GAP_S:
            visits[h] += 1.0


@kernel()
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


@kernel()
def _show_values(values: Values, shown: NDArray[np.int32]) -> None:
    """Make the codes of a user's values known."""
    for i in range(len(shown)):
        if shown[i] != 0:
            values.counts[shown[i], COUNT] += 1.0


@kernel()
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


@kernel()
def _count_distinct(
    distinct: NDArray[np.float64], facet_start: NDArray[np.int64], slot: int
) -> None:
    for f in range(len(distinct)):
        if facet_start[f] <= slot < facet_start[f + 1]:
            distinct[f] += 1.0


@kernel()
def _remember(trail: NDArray[np.int32], obj: int) -> None:
    ring = len(trail) - RECENT
    trail[ring + trail[MET] % RECENT] = obj
    trail[MET] += 1


@kernel()
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
            pull(user, obj, np.float32(1.0), s.users, s.objects)
        elif before > 0.0:
            pull(user, obj, np.float32(-1.0), s.users, s.objects)
    if opinion > 0.0:
        _remember(s.users.trail[user], obj)
    met[UO_OPINION] = opinion
    s.objects.tags[obj, VERSION] += 1


@kernel()
def _count_opinion(counts: NDArray[np.float64], opinion: float, change: float) -> None:
    if opinion > 0.0:
        counts[LIKES] += change
    elif opinion < 0.0:
        counts[DISLIKES] += change
