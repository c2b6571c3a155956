"""The read side: as-of features of one request, the same code for replay and for serving."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.arithmetic import global_rate
from core.state.arrays import (
    ALL_LABELS,
    ALL_POSITIVES,
    CODE,
    COUNT,
    EVENTS,
    MET,
    ORIGIN,
    REPEATS,
    VERSION,
    Objects,
    StateArrays,
    Users,
    Values,
)
from core.state.compiling import kernel
from core.state.families import (
    activity,
    affinity,
    catalogue,
    content,
    latent,
    online,
    outcome,
    sequence,
    static,
)
from core.state.families.sequence import previous_object
from core.state.hashing import find, pair_key


@kernel()
def read_batch(
    s: StateArrays,
    user: int,
    objects: NDArray[np.int32],
    context: NDArray[np.int32],
    time: float,
    user_time: float,
    cardinalities: NDArray[np.int32],
    numbers: NDArray[np.float32],
    codes: NDArray[np.int32],
    keys: NDArray[np.int64],
) -> None:
    """All that `FeatureBatch` holds, in one call: handing over the state costs 10 µs each time."""
    read_numbers(s, user, objects, context, time, user_time, numbers)
    read_codes(s.users, s.objects, s.values, user, objects, context, cardinalities, codes)
    read_object_keys(s.objects, s.values, objects, keys)


@kernel()
def read_numbers(
    s: StateArrays,
    user: int,
    objects: NDArray[np.int32],
    context: NDArray[np.int32],
    time: float,
    user_time: float,
    out: NDArray[np.float32],
) -> int:
    """Fill `out` (n_objects, number columns) for one user and context; returns the columns filled.

    What depends on the user and the request is read once and copied to every row.
    """
    half_lives, half_life = s.shape.half_lives, s.shape.outcome_half_life[0]
    facet_start = s.shape.facet_start
    events = s.totals.numbers[EVENTS]
    since_origin = time - s.totals.numbers[ORIGIN]
    user_since_origin = user_time - s.totals.numbers[ORIGIN]
    log_rate = global_rate(s.totals.numbers[ALL_LABELS], s.totals.numbers[ALL_POSITIVES])
    counts = s.users.counts[user]
    trail = s.users.trail[user]
    value_counts = s.values.counts

    first = out[0]
    k = static.write_numbers(s.users.numbers[user], s.shape.user_is_time, time, first, 0)
    k = activity.read_user(
        counts, s.users.distinct[user], s.users.visits[user], user_time, half_lives, first, k
    )
    user_rate, evidence = outcome.single_rate(counts, time, half_life, log_rate)
    first[k], first[k + 1] = user_rate, evidence
    taste_column = k + 2
    k = latent.read_user(user, s.users, s.shape, first, taste_column)
    effect_column, k = k, k + online.USER_COLUMNS
    k = content.read_user(user, s.content, first, k)

    k = affinity.read_request(
        user, counts[COUNT], context, value_counts, events, s.user_value, first, k
    )
    k = outcome.read_request(
        user,
        context,
        value_counts,
        s.user_value,
        time,
        since_origin,
        half_life,
        log_rate,
        user_rate,
        first,
        k,
    )
    k = sequence.read_request(trail, context, first, k)
    request_effect_column, k = k, k + online.REQUEST_COLUMNS

    user_repeat_share = activity.repeat_share(counts[REPEATS], counts[COUNT], 0.0)

    shared = k
    latent_column = shared
    before = previous_object(trail)
    for i in range(len(objects)):
        row, obj = out[i], objects[i]
        if i > 0:
            for column in range(shared):
                row[column] = first[column]
        object_counts = s.objects.counts[obj]
        values = s.objects.values[obj]
        vector = s.objects.vector[obj]
        pair = find(s.user_object, pair_key(user, obj))

        k = static.write_numbers(s.objects.numbers[obj], s.shape.object_is_time, time, row, shared)
        k = activity.read_object(object_counts, time, half_lives, row, k)
        k = activity.read_facets(
            user,
            values,
            facet_start,
            value_counts,
            s.user_value,
            time,
            user_since_origin,
            half_lives,
            user_repeat_share,
            row,
            k,
        )
        k = affinity.read_facets(
            user,
            counts[COUNT],
            values,
            facet_start,
            value_counts,
            events,
            s.user_value,
            row,
            k,
        )
        k = affinity.read_object(
            obj, object_counts[COUNT], context, value_counts, events, s.object_context, row, k
        )
        k = outcome.read_object(object_counts, time, half_life, log_rate, row, k)
        k = outcome.read_facets(
            user,
            values,
            facet_start,
            value_counts,
            s.user_value,
            time,
            since_origin,
            half_life,
            log_rate,
            user_rate,
            row,
            k,
        )
        k = outcome.read_pair(pair, s.user_object, row, k)
        latent_column = k
        k += latent.CANDIDATE_COLUMNS
        k = sequence.read_pair(pair, s.user_object, user_since_origin, row, k)
        k = sequence.read_previous(
            s.objects.vector[before], s.objects.values[before], vector, values, facet_start, row, k
        )
        k = catalogue.read_candidate(
            values, s.objects.pools[obj], facet_start, value_counts, row, k
        )
    match_column = latent.read_candidates(
        user,
        objects,
        user_since_origin,
        s.users,
        s.objects,
        s.values,
        s.totals,
        s.shape,
        out,
        taste_column,
        latent_column,
    )
    k = online.read_candidates(
        user,
        objects,
        context,
        s.shape,
        s.totals,
        s.users,
        s.objects,
        s.values,
        s.user_value,
        match_column,
        out,
        effect_column,
        request_effect_column,
        k,
    )
    return content.read_candidates(user, objects, before, s.content, out, k)


@kernel()
def read_codes(
    users: Users,
    all_objects: Objects,
    all_values: Values,
    user: int,
    objects: NDArray[np.int32],
    context: NDArray[np.int32],
    cardinalities: NDArray[np.int32],
    out: NDArray[np.int32],
) -> int:
    """Fill `out` (n_objects, code columns); returns the columns filled.

    A code counts once an event has shown it: before, it is 0, as for things never heard of. So it
    is for codes beyond the `cardinalities` (code columns,) that a model was trained with.
    """
    first = out[0]
    trail = users.trail[user]
    first[0] = user if users.counts[user, COUNT] > 0 else 0
    k = 1
    for i in range(users.values.shape[1]):
        first[k] = seen_code(all_values, users.values[user, i])
        k += 1
    first[k] = _seen_object(all_objects, previous_object(trail))
    k += 1
    for i in range(len(context)):
        first[k] = seen_code(all_values, trail[MET + 1 + i])
        k += 1
    for i in range(len(context)):
        first[k] = seen_code(all_values, context[i])
        k += 1
    shared = k
    for i in range(len(objects)):
        row = out[i]
        obj = objects[i]
        if i > 0:
            for column in range(shared):
                row[column] = first[column]
        row[shared] = _seen_object(all_objects, obj)
        k = shared + 1
        for slot in range(all_objects.values.shape[1]):
            row[k] = seen_code(all_values, all_objects.values[obj, slot])
            k += 1
        for column in range(k):
            if row[column] >= cardinalities[column]:
                row[column] = 0
    return k


@kernel()
def _seen_object(objects: Objects, obj: int) -> int:
    return obj if objects.counts[obj, COUNT] > 0 else 0


@kernel()
def seen_code(values: Values, value: int) -> int:
    """The code of a value that an event has shown, else 0."""
    return values.tags[value, CODE] if values.counts[value, COUNT] > 0 else 0


@kernel()
def read_object_keys(
    all_objects: Objects, all_values: Values, objects: NDArray[np.int32], out: NDArray[np.int64]
) -> None:
    """Fill `out` (n_objects,): equal keys promise equal OBJECT-branch columns.

    The columns follow the object's own state, its values' codes and its main facet's vector. All
    versions only rise, so their sum changes whenever one of them does.
    """
    for i in range(len(objects)):
        version = all_objects.tags[objects[i], VERSION]
        for slot in range(all_objects.values.shape[1]):
            version += all_values.tags[all_objects.values[objects[i], slot], VERSION]
        out[i] = (np.int64(objects[i]) << np.int64(32)) | version
