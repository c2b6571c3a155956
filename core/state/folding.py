"""Folding in: how meetings move the vectors of users, and of what came after the latest fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.arithmetic import decay
from core.state.arrays import (
    DISTINCT,
    IS_BASE,
    LATENT,
    LISTENERS,
    LONGEST,
    LONGEST_FACET,
    VERSION,
    Objects,
    StateArrays,
    Totals,
    Users,
    Values,
)
from core.state.compiling import allocating_kernel, kernel
from core.state.families.latent import SMOOTHING, match, taste, taste_of_late


@kernel()
def meet_object(
    user: int,
    obj: int,
    is_liked: bool,
    users: Users,
    objects: Objects,
    totals: Totals,
) -> None:
    """The first meeting of a pair: count it; the user moves a late object, and it the user.

    A liked object whose vector is frozen has pulled the user when it was liked.
    """
    users.counts[user, DISTINCT] += 1.0
    objects.counts[obj, DISTINCT] += 1.0
    is_base = objects.tags[obj, IS_BASE] != 0
    if not is_base and totals.numbers[LONGEST] > 0.0:
        _move_object(user, obj, users, objects, totals)
    if not (is_liked and is_base):
        pull(user, obj, np.float32(1.0), users, objects)


@allocating_kernel()
def _move_object(user: int, obj: int, users: Users, objects: Objects, totals: Totals) -> None:
    """Let a new listener move a late object."""
    liked = taste(users.anchor[user], 1.0, users.counts[user, DISTINCT], totals)
    listeners = objects.counts[obj, DISTINCT]
    _fold_in(objects.vector[obj], liked, 1.0, listeners, totals.fold, totals.numbers[LONGEST])


@kernel()
def pull(user: int, obj: int, weight: np.float32, users: Users, objects: Objects) -> None:
    """Draw the user's vector to an object, or away again."""
    _add(users.vector[user], objects.vector[obj], weight)
    if objects.tags[obj, IS_BASE] != 0:
        _add(users.anchor[user], objects.vector[obj], weight)


@allocating_kernel()
def match_now(
    user: int,
    obj: int,
    now: float,
    users: Users,
    objects: Objects,
    totals: Totals,
    half_life: float,
) -> float:
    """Product of what a user likes lately and an object."""
    liked = taste_of_late(user, now, users, totals, half_life)
    product, _ = match(liked, objects.vector[obj])
    return product


@kernel()
def meet_lately(
    user: int,
    vector: NDArray[np.float32],
    now: int,
    weight: float,
    half_life: float,
    users: Users,
) -> None:
    """Fade what the user met lately, and add a vector.

    `weight` is what fading has taken from the object since the pair's latest meeting, 1 at the
    first: so each object counts in full again when it is met.
    """
    recent = users.recent[user]
    faded = decay(now - users.recent_at[user], half_life)
    for i in range(LATENT):
        recent[i] = recent[i] * faded + weight * vector[i]
    recent[LATENT] = recent[LATENT] * faded + weight
    users.recent_at[user] = max(now, users.recent_at[user])


@kernel()
def facet_weight(count: float) -> float:
    """The entry of the user x main facet matrix: 0.3 * log1p(n) + 1[n > 0]."""
    return float(0.3 * np.log1p(count) + (1.0 if count > 0.0 else 0.0))


@kernel()
def meet_main_facet(
    user: int,
    value: int,
    before: float,
    distinct: float,
    users: Users,
    values: Values,
    totals: Totals,
) -> None:
    """Move the user's facet vector by the raised weight, and a late facet value by its listener.

    The pair had met `before` times; the user has now met `distinct` values of the main facet.
    """
    raised = np.float32(facet_weight(before + 1.0) - facet_weight(before))
    vector, anchor = values.vector[value], users.facet_anchor[user]
    is_base = values.tags[value, IS_BASE] != 0
    longest = totals.numbers[LONGEST_FACET]
    if before == 0.0:
        values.tags[value, LISTENERS] += 1
        if not is_base and longest > 0.0:
            listeners = values.tags[value, LISTENERS]
            mean = 1.0 / (distinct + SMOOTHING)
            _fold_in(vector, anchor, mean, listeners, totals.facet_fold, longest)
            values.tags[value, VERSION] += 1
    if is_base:
        _add(anchor, vector, raised)
    _add(users.facet_vector[user], vector, raised)


@kernel()
def _fold_in(
    vector: NDArray[np.float32],
    listener: NDArray[np.float32] | NDArray[np.float64],
    scale: float,
    listeners: float,
    fold: NDArray[np.float32],
    longest: float,
) -> None:
    """Let a new listener move the vector of an object that came after the fit.

    A fitted vector is the sum of what its n listeners add, over n + SMOOTHING. So this one is the
    mean over its listeners so far and SMOOTHING times where it began, at what its facet values let
    expect. Only what listeners met of frozen objects counts (their anchor): late objects must not
    move each other, or they would grow on each other without end. The new listener is `scale` times
    `listener`.
    """
    share = 1.0 / (listeners + SMOOTHING)
    for i in range(len(vector)):
        added = 0.0
        for j in range(len(vector)):
            added += np.float64(fold[i, j]) * np.float64(listener[j])
        vector[i] += np.float32(share * (scale * added - np.float64(vector[i])))
    _shorten(vector, longest)


@kernel()
def _shorten(vector: NDArray[np.float32], longest: float) -> None:
    """Keep the direction of a vector, and its length within that of the longest frozen one."""
    square = 0.0
    for i in range(len(vector)):
        square += float(vector[i]) * float(vector[i])
    if square > longest * longest:
        scale = np.float32(longest / np.sqrt(square))
        for i in range(len(vector)):
            vector[i] *= scale


@kernel()
def _add(to: NDArray[np.float32], vector: NDArray[np.float32], weight: np.float32) -> None:
    for i in range(len(to)):
        to[i] += weight * vector[i]


def vectors_by_facets(
    arrays: StateArrays, values: NDArray[np.int32], means: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n, LATENT) vectors of objects with these value ids (n, slots): sums over their facets.

    A facet with several values adds their mean. `means` (values, LATENT) is `Values.object_mean`,
    or what shall become it; the row of value 0 is zero.
    """
    return _sum_means(arrays.shape.facet_start, values, means)


@allocating_kernel()
def _sum_means(
    facet_start: NDArray[np.int64], values: NDArray[np.int32], means: NDArray[np.float32]
) -> NDArray[np.float32]:
    out = np.zeros((len(values), means.shape[1]), np.float32)
    for i in range(len(values)):
        for f in range(len(facet_start) - 1):
            present = np.float32(0.0)
            for slot in range(facet_start[f], facet_start[f + 1]):
                if values[i, slot] > 0:
                    present += np.float32(1.0)
            for slot in range(facet_start[f], facet_start[f + 1]):
                value = values[i, slot]
                if value > 0:
                    for axis in range(means.shape[1]):
                        out[i, axis] += means[value, axis] / present
    return out
