"""The log of a world: first plays with their truth and labels, and the repeats they lead to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domains.music.simulator.contexts import Context
from domains.music.simulator.listening import (
    Habits,
    Mind,
    Offer,
    alias_table,
    choose_tracks,
    draw_times,
)
from domains.music.simulator.parameters import DAY_S
from domains.music.simulator.randomness import Bools, Floats, Ints, kernel_seed, stream
from domains.music.simulator.vocabulary import ARTIST_TYPES, REPEAT_CONTEXT
from domains.music.simulator.world import World

# Plays by hour of the day in UTC; the evening of the listeners (UTC+8) is the afternoon here.
_HOUR_WEIGHTS = (6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 8, 8, 8, 7, 5, 3, 2, 1, 1, 1, 2, 4)
_SHORTEST_DELAY_S = 90
_CHUNK = 250_000


@dataclass(frozen=True)
class FirstPlays:
    """First plays in order of time: (n_events,) each."""

    users: Ints
    """User index."""
    objects: Ints
    """Track index."""
    times_s: Ints
    """Epoch seconds, never decreasing."""
    contexts: Ints
    """Row of `parameters.contexts`."""
    probabilities: Floats
    """True probability of a return within the horizon."""
    labels: Bools
    """Whether the user returned, drawn from the probability."""

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class Plays:
    """All plays in order of time, repeats included: (n_plays,) each."""

    users: Ints
    """User index."""
    objects: Ints
    """Track index."""
    times_s: Ints
    """Epoch seconds, never decreasing."""
    contexts: Ints
    """Row of `parameters.contexts`."""
    first_play: Ints
    """Index of the first play that this row *is*, or -1 for a repeat."""


def draw_first_plays(world: World) -> FirstPlays:
    """Draws the log of a world; the same world always gives the same log."""
    people = world.population
    hours = np.cumsum(np.array(_HOUR_WEIGHTS, dtype=np.float64)) / sum(_HOUR_WEIGHTS)
    times = draw_times(
        people.histories,
        people.starts_s,
        people.ends_s,
        hours,
        world.parameters.session_plays,
        kernel_seed(world.seed, "events: times"),
    )
    owners = np.repeat(np.arange(len(people)), people.histories)
    times = times[np.lexsort((times, owners))]
    chosen, contexts = choose_tracks(
        np.append(0, np.cumsum(people.histories)),
        times,
        world.start_s,
        world.taste,
        _offer(world),
        _habits(world),
        _mind(world),
        kernel_seed(world.seed, "events: choices"),
    )
    order = np.argsort(times, kind="stable")
    users, objects, times, contexts = owners[order], chosen[order], times[order], contexts[order]
    probabilities = _true_probabilities(world, users, objects, contexts, times)
    labels = stream(world.seed, "events: labels").random(len(times)) < probabilities
    return FirstPlays(users, objects, times, contexts, probabilities, labels)


def draw_all_plays(world: World, first: FirstPlays) -> Plays:
    """Adds repeats: within the horizon for positive pairs, only after it for negative ones.

    The log ends when the world's clock ends: a return that would come later is not in it, so a
    pair whose horizon is still open may be positive without a repeat yet.
    """
    parameters = world.parameters
    rng = stream(world.seed, "events: repeats")
    n = len(first)
    positive = np.flatnonzero(first.labels)
    counts = rng.geometric(1.0 / (1.0 + parameters.extra_repeats), len(positive))
    soon = np.repeat(positive, counts)
    median, spread = parameters.repeat_delay_days
    delays = median * DAY_S * np.exp(spread * rng.standard_normal(len(soon)))
    # Delays beyond the horizon are drawn anew, evenly: the pair is positive, so it returns.
    even = rng.uniform(_SHORTEST_DELAY_S, parameters.horizon_s, len(soon))
    delays = np.where(delays < parameters.horizon_s, delays, even)
    delays = np.maximum(delays, _SHORTEST_DELAY_S)
    late = np.flatnonzero(~first.labels & (rng.random(n) < parameters.late_repeat_share))
    late_delays = parameters.horizon_s + 1 + rng.exponential(20.0 * DAY_S, len(late))

    sources = np.concatenate([soon, late])
    times = first.times_s[sources] + np.concatenate([delays, late_delays]).astype(np.int64)
    from_library = rng.random(len(sources)) < 0.75
    contexts = np.where(from_library, _repeat_context_row(world), first.contexts[sources])
    seen = times < world.end_s
    sources, times, contexts = sources[seen], times[seen], contexts[seen]
    all_times = np.concatenate([first.times_s, times])
    order = np.argsort(all_times, kind="stable")
    rows = np.concatenate([np.arange(n), sources])
    is_first = np.concatenate([np.arange(n), np.full(len(sources), -1)])
    return Plays(
        users=first.users[rows][order],
        objects=first.objects[rows][order],
        times_s=all_times[order],
        contexts=np.concatenate([first.contexts, contexts])[order],
        first_play=is_first[order],
    )


def _true_probabilities(
    world: World, users: Ints, objects: Ints, contexts: Ints, times: Ints
) -> Floats:
    """Asks the world in chunks, so that memory stays small."""
    tabs = np.array([row.tab for row in world.parameters.contexts])
    types = np.array([row.type for row in world.parameters.contexts])
    out = np.empty(len(users))
    for at in range(0, len(users), _CHUNK):
        rows = slice(at, at + _CHUNK)
        context = Context(source_tab=tabs[contexts[rows]], source_type=types[contexts[rows]])
        out[rows] = world.probability(users[rows], objects[rows], context, times[rows])
    return out


def _offer(world: World) -> Offer:
    """The tracks as choosers meet them."""
    tracks = world.catalogue
    mass = np.flatnonzero(~tracks.is_niche)
    thresholds, aliases = alias_table(tracks.expected_listeners[mass])
    counts = np.bincount(tracks.artists[mass], minlength=int(tracks.artists.max()) + 1)
    return Offer(
        taste=tracks.taste,
        log_weights=np.log(tracks.expected_listeners),
        released_s=tracks.released_s,
        mass=mass,
        thresholds=thresholds,
        aliases=aliases,
        artists=tracks.artists,
        artist_offsets=np.append(0, np.cumsum(counts)),
        artist_tracks=mass[np.argsort(tracks.artists[mass], kind="stable")],
        niche=np.flatnonzero(tracks.is_niche),
    )


def _habits(world: World) -> Habits:
    """From where the users of a world play."""
    parameters = world.parameters
    shares = np.array([row.share for row in parameters.contexts])
    weights = shares * np.exp(world.population.tab_habits[:, world.contexts.row_tabs])
    of_artist = [row.type in ARTIST_TYPES for row in parameters.contexts]
    return Habits(
        contexts=np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True),
        loyalty=np.where(of_artist, parameters.loyalty_in_artist_contexts, parameters.loyalty),
        stickiness=parameters.context_stickiness,
    )


def _mind(world: World) -> Mind:
    """What weighs with the users of a world when they choose."""
    parameters = world.parameters
    return Mind(
        candidates=parameters.choice_candidates,
        taste=parameters.choice_taste,
        freshness_boost=parameters.freshness_boost,
        freshness_s=parameters.freshness_days * DAY_S,
    )


def _repeat_context_row(world: World) -> int:
    """Row of the context that most repeats are played from."""
    rows = world.parameters.contexts
    return next(
        i for i, row in enumerate(rows) if (row.tab, row.screen, row.type) == REPEAT_CONTEXT
    )
