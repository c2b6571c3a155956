"""Compiled loops of life in a world: when users listen, and which tracks they choose."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from domains.music.simulator.kernels import UserTaste, match, next_uniform, taste_at
from domains.music.simulator.randomness import Floats, Ints

_SESSION_GAP_S = 1800
_NICHE_CANDIDATES = 4
_ROUNDS = 40
_NOTHING = -1e300
_STREAM_STEP = np.uint64(0xD1342543DE82EF95)  # sets the streams of neighbouring users apart

State = npt.NDArray[np.uint64]


class Offer(NamedTuple):
    """The tracks as choosers meet them."""

    taste: Floats
    """Unit vectors: (n_tracks, d)."""
    log_weights: Floats
    """Log of the expected listeners: (n_tracks,)."""
    released_s: Ints
    """Epoch seconds: (n_tracks,)."""
    mass: Ints
    """Tracks outside the niche: (n_mass,)."""
    thresholds: Floats
    """Walker's tables over `mass`: (n_mass,)."""
    aliases: Ints
    """Walker's tables over `mass`: (n_mass,)."""
    artists: Ints
    """Artist of each track: (n_tracks,)."""
    artist_offsets: Ints
    """Where each artist's tracks begin in `artist_tracks`: (n_artists + 1,)."""
    artist_tracks: Ints
    """Tracks outside the niche, artist after artist: (n_mass,)."""
    niche: Ints
    """Tracks for one listener each: (n_niche,)."""


class Mind(NamedTuple):
    """What weighs with users when they choose among candidates."""

    candidates: int
    """Tracks that come to mind before taste decides."""
    taste: float
    """Weight of the taste match."""
    freshness_boost: float
    """Log-weight of a track on its release day."""
    freshness_s: float
    """Time constant of the boost in seconds."""


class Habits(NamedTuple):
    """From where users play."""

    contexts: Floats
    """Cumulated chance of each context row: (n_users, n_rows)."""
    loyalty: Floats
    """Chance in each context row to follow an artist of the past: (n_rows,)."""
    stickiness: float
    """Chance that the next play of a session keeps its context."""


@numba.njit(cache=True)
def draw_times(
    histories: Ints,
    starts: Ints,
    ends: Ints,
    hours: Floats,
    session_plays: float,
    seed: np.uint64,
) -> Ints:
    """Times of all first plays in sessions, user after user, unsorted: (n,) epoch seconds.

    Args:
        histories: Plays of each user: (n_users,).
        starts: Epoch seconds from which each user is there: (n_users,).
        ends: Epoch seconds until which each user is there: (n_users,).
        hours: Cumulated share of plays by hour of the day, UTC: (24,).
        session_plays: Mean plays of a session.
        seed: Start of the streams.
    """
    times = np.empty(histories.sum(), dtype=np.int64)
    state = np.empty(1, dtype=np.uint64)
    at = 0
    for u in range(histories.shape[0]):
        state[0] = seed + np.uint64(u) * _STREAM_STEP
        left = histories[u]
        while left > 0:
            plays = 1 + int(-math.log(1.0 - next_uniform(state)) * (session_plays - 1.0))
            plays = min(plays, left)
            day = math.floor((starts[u] + next_uniform(state) * (ends[u] - starts[u])) / 86400.0)
            hour = int(np.searchsorted(hours, next_uniform(state), side="right"))
            second = day * 86400.0 + hour * 3600.0 + next_uniform(state) * 3600.0
            second = min(max(second, float(starts[u])), float(ends[u]) - 1.0)
            first = at
            for _ in range(plays):
                times[at] = int(second)
                at += 1
                second += 40.0 - math.log(1.0 - next_uniform(state)) * 180.0
            # A session that would outlast its user begins earlier.
            over = times[at - 1] - (ends[u] - 1)
            if over > 0:
                for i in range(first, at):
                    times[i] = max(times[i] - over, starts[u])
            left -= plays
    return times


@numba.njit(cache=True)
def alias_table(weights: Floats) -> tuple[Floats, Ints]:
    """Walker's tables for drawing by weight in constant time: thresholds and aliases, (n,)."""
    n = weights.shape[0]
    scaled = weights * (n / weights.sum())
    alias = np.arange(n)
    small = np.empty(n, dtype=np.int64)
    large = np.empty(n, dtype=np.int64)
    smalls = 0
    larges = 0
    for i in range(n):
        if scaled[i] < 1.0:
            small[smalls] = i
            smalls += 1
        else:
            large[larges] = i
            larges += 1
    while smalls > 0 and larges > 0:
        smalls -= 1
        s = small[smalls]
        big = large[larges - 1]
        alias[s] = big
        scaled[big] -= 1.0 - scaled[s]
        if scaled[big] < 1.0:
            larges -= 1
            small[smalls] = big
            smalls += 1
    for i in range(smalls):
        scaled[small[i]] = 1.0
    for i in range(larges):
        scaled[large[i]] = 1.0
    return scaled, alias


@numba.njit(cache=True)
def _appeal(
    mind: Mind, matching: float, since_release_s: float, since_start_s: float, state: State
) -> float:
    """Taste, freshness and Gumbel noise: the largest of several is a draw from their softmax."""
    appeal = mind.taste * matching
    if since_release_s <= since_start_s:
        appeal += mind.freshness_boost * math.exp(-since_release_s / mind.freshness_s)
    return appeal - math.log(-math.log(next_uniform(state) + 1e-300))


@numba.njit(cache=True)
def _place_in_niche(
    offer: Offer, mind: Mind, taste: Floats, free: Ints, t: int, start_s: int, state: State
) -> int:
    """Where in `free` the most appealing of a few released tracks is, or -1."""
    place = -1
    best = _NOTHING
    for _ in range(_NICHE_CANDIDATES):
        if free.shape[0] > 0:
            j = int(next_uniform(state) * free.shape[0])
            since_release = t - offer.released_s[free[j]]
            if since_release >= 0:
                matching = match(taste, offer.taste, free[j])
                appeal = _appeal(mind, matching, since_release, t - start_s, state)
                if appeal > best:
                    best = appeal
                    place = j
    return place


@numba.njit(cache=True)
def _choose(
    offer: Offer,
    mind: Mind,
    taste: Floats,
    past: Ints,
    is_loyal: bool,
    heard_by: Ints,
    user: int,
    t: int,
    start_s: int,
    state: State,
) -> int:
    """The most appealing of several candidates that are out and that the user has not heard."""
    # Taken out of the tuple once: inside the loop each access would count references.
    tastes, released_s, mass = offer.taste, offer.released_s, offer.mass
    thresholds, aliases = offer.thresholds, offer.aliases
    chosen = -1
    for attempt in range(_ROUNDS):
        best = _NOTHING
        for _ in range(mind.candidates):
            known = 0.0
            if is_loyal and attempt == 0:
                artist = offer.artists[past[int(next_uniform(state) * past.shape[0])]]
                begin = offer.artist_offsets[artist]
                size = offer.artist_offsets[artist + 1] - begin
                if size == 0:
                    continue
                track = offer.artist_tracks[begin + int(next_uniform(state) * size)]
                known = offer.log_weights[track]
            else:
                j = int(next_uniform(state) * mass.shape[0])
                track = mass[j if next_uniform(state) < thresholds[j] else aliases[j]]
            since_release = t - released_s[track]
            if since_release < 0 or heard_by[track] == user:
                continue
            matching = match(taste, tastes, track)
            appeal = known + _appeal(mind, matching, since_release, t - start_s, state)
            if appeal > best:
                best = appeal
                chosen = track
        if chosen >= 0:
            return int(chosen)
    # A user who has heard all that is popular takes anything: half of the tracks is the most that
    # anyone hears, and more than half are out from the start, so there is something left.
    while True:
        track = mass[int(next_uniform(state) * mass.shape[0])]
        if heard_by[track] != user and released_s[track] <= t:
            return int(track)


@numba.njit(cache=True)
def choose_tracks(
    offsets: Ints,
    times: Ints,
    start_s: int,
    people: UserTaste,
    offer: Offer,
    habits: Habits,
    mind: Mind,
    seed: np.uint64,
) -> tuple[Ints, Ints]:
    """Lets every user choose a track and a context at each of their times.

    A play comes from the niche (tracks nobody else hears), from an artist of the user's past, or
    from a handful of popular tracks; among the candidates taste, freshness and chance decide. No
    user hears a track twice here, and no track is heard before its release.

    Args:
        offsets: Where each user's times begin: (n_users + 1,).
        times: Epoch seconds, ascending within a user: (n,).
        start_s: Epoch seconds at which the log begins.
        people: Taste of the users.
        offer: The tracks.
        habits: From where users play.
        mind: What weighs when they choose.
        seed: Start of the streams.

    Returns:
        Tracks and context rows: (n,) each.
    """
    n = times.shape[0]
    tracks = np.empty(n, dtype=np.int64)
    contexts = np.empty(n, dtype=np.int64)
    heard_by = np.full(offer.taste.shape[0], -1, dtype=np.int64)
    taste = np.empty(offer.taste.shape[1])
    state = np.empty(1, dtype=np.uint64)
    free = offer.niche.copy()
    free_count = free.shape[0]
    niche_chance = free_count / n
    for u in range(offsets.shape[0] - 1):
        state[0] = seed + np.uint64(u) * _STREAM_STEP
        first = offsets[u]
        context = 0
        for i in range(first, offsets[u + 1]):
            t = times[i]
            is_new_session = i == first or t - times[i - 1] > _SESSION_GAP_S
            if is_new_session or next_uniform(state) >= habits.stickiness:
                row = np.searchsorted(habits.contexts[u], next_uniform(state), side="right")
                context = min(row, habits.contexts.shape[1] - 1)
            contexts[i] = context
            taste_at(people, u, float(t - start_s), taste)
            place = -1
            if next_uniform(state) < niche_chance:
                place = _place_in_niche(offer, mind, taste, free[:free_count], t, start_s, state)
            if place >= 0:
                tracks[i] = free[place]
                free_count -= 1
                free[place] = free[free_count]
            else:
                is_loyal = i > first and next_uniform(state) < habits.loyalty[context]
                tracks[i] = _choose(
                    offer, mind, taste, tracks[first:i], is_loyal, heard_by, u, t, start_s, state
                )
            heard_by[tracks[i]] = u
    return tracks, contexts
