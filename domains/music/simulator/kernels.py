"""Compiled loops of the truth: taste at a moment, its match with tracks, probabilities.

No fast-math and a fixed order of operations: a row's value is the same to the last bit whether
it is asked alone or among a million.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from domains.music.simulator.randomness import Floats, Ints

_STEPS = 1e8


class UserTaste(NamedTuple):
    """Taste of all users: a lasting vector plus one that goes round in a plane."""

    base: Floats
    """Lasting part: (n_users, d)."""
    cosine: Floats
    """Wandering part, cosine: (n_users, d)."""
    sine: Floats
    """Wandering part, sine: (n_users, d)."""
    speeds: Floats
    """Radians a second: (n_users,)."""


@numba.njit(cache=True, inline="always")
def next_uniform(state: npt.NDArray[np.uint64]) -> float:
    """The next number in [0, 1) of a splitmix64 stream; `state` is a (1,) array."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(cache=True)
def taste_at(people: UserTaste, user: int, since_s: float, taste: Floats) -> None:
    """Writes a user's unit taste vector `since_s` seconds after the start into `taste`: (d,)."""
    base, cosine, sine = people.base, people.cosine, people.sine
    angle = people.speeds[user] * since_s
    c = math.cos(angle)
    s = math.sin(angle)
    square = 0.0
    for k in range(taste.shape[0]):
        taste[k] = base[user, k] + c * cosine[user, k] + s * sine[user, k]
        square += taste[k] * taste[k]
    scale = 1.0 / math.sqrt(square)
    for k in range(taste.shape[0]):
        taste[k] *= scale


@numba.njit(cache=True)
def match(taste: Floats, tracks: Floats, track: int) -> float:
    """Cosine of a unit taste and a track's times sqrt(d): standard normal if unrelated."""
    total = 0.0
    for k in range(taste.shape[0]):
        total += taste[k] * tracks[track, k]
    return total * math.sqrt(taste.shape[0])


@numba.njit(cache=True)
def taste_matches(
    people: UserTaste, tracks: Floats, users: Ints, objects: Ints, since_s: Floats
) -> Floats:
    """Match of each row's user and track at `since_s` seconds after the start: (n,)."""
    out = np.empty(users.shape[0])
    taste = np.empty(tracks.shape[1])
    for i in range(users.shape[0]):
        taste_at(people, users[i], since_s[i], taste)
        out[i] = match(taste, tracks, objects[i])
    return out


@numba.njit(cache=True)
def probabilities(logits: Floats) -> Floats:
    """Sigmoid of each logit to eight decimals: (n,).

    Processors may differ in the last bits of an exponential; eight decimals hide that, so the
    same seed writes the same bytes elsewhere, too.
    """
    out = np.empty(logits.shape[0])
    for i in range(logits.shape[0]):
        out[i] = math.floor(_STEPS / (1.0 + math.exp(-logits[i])) + 0.5) / _STEPS
    return out
