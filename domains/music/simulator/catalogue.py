"""The tracks of a world: what they are, how popular, and what makes listeners return to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domains.music.simulator.parameters import WorldParameters
from domains.music.simulator.randomness import (
    Bools,
    Floats,
    Ints,
    draw_rows,
    ranks,
    standardised,
    stream,
    unit,
)

_LENGTH_BANDS_MIN = (2.0, 3.0, 5.0, 7.0)
_LONG_BEFORE_S = 3650 * 86_400


@dataclass(frozen=True)
class Catalogue:
    """Columns over tracks: (n_tracks, ...)."""

    artists: Ints
    """Artist of each track, dense from 0."""
    genres: Ints
    """Row of `parameters.genres`."""
    second_genres: Ints
    """A second genre row, or -1."""
    languages: Ints
    """Row of `parameters.languages`."""
    lengths_ms: Ints
    """Length in milliseconds."""
    released_s: Ints
    """Epoch seconds of release."""
    is_niche: Bools
    """Offered to one listener only."""
    expected_listeners: Floats
    """How many listeners the track is aimed at; the weight of choices."""
    popularity: Floats
    """Log of the expected listeners, standardised over events."""
    effects: Floats
    """Track effect on the logit."""
    content_effects: Floats
    """Effect of length and genre on the logit."""
    taste: Floats
    """Unit vectors: (n_tracks, d)."""

    def __len__(self) -> int:
        return len(self.artists)


def track_count(parameters: WorldParameters, events: int) -> int:
    """Tracks of a world with this many first plays."""
    share: float = (events / parameters.full_events) ** parameters.tracks_exponent
    return max(200, round(parameters.full_tracks * share))


def niche_count(parameters: WorldParameters, events: int) -> int:
    """Tracks that are offered to one listener only."""
    return round(parameters.niche_share * track_count(parameters, events))


def create_catalogue(
    parameters: WorldParameters, seed: int, events: int, users: int, start_s: int
) -> Catalogue:
    """Draws all tracks of a world."""
    tracks = track_count(parameters, events)
    artists, artist_count, scores = _draw_artists(parameters, seed, tracks)
    niche = niche_count(parameters, events)
    listeners = _expected_listeners(parameters, scores, niche, events, users)
    is_niche = ranks(scores) < niche
    genres, second, languages = _draw_kinds(parameters, seed, artists, artist_count)
    minutes = _draw_minutes(seed, tracks)
    rng = stream(seed, "tracks: release")
    is_new = rng.random(tracks) < parameters.new_track_share
    released = start_s + np.where(
        is_new,
        rng.uniform(0.0, 0.93, tracks) * parameters.duration_s,
        -_LONG_BEFORE_S * rng.random(tracks) ** 2 - 1.0,
    )

    popularity = standardised(np.log(listeners), listeners)
    bands = np.digitize(minutes, _LENGTH_BANDS_MIN).astype(np.int64)
    c = parameters.object_popularity_correlation
    curve = standardised(np.log(np.clip(listeners, *parameters.popularity_range)), listeners)
    rng = stream(seed, "tracks: effects")
    own = standardised(rng.standard_normal(tracks), listeners)
    effects = standardised(c * curve + np.sqrt(1.0 - c * c) * own, listeners, bands)
    knots = np.array(parameters.length_effect)
    table = np.array([row.effect for row in parameters.genres])
    content = np.interp(minutes, knots[:, 0], knots[:, 1])
    content += parameters.genre_sd * standardised(table[genres], listeners, bands)
    return Catalogue(
        artists=artists,
        genres=genres,
        second_genres=second,
        languages=languages,
        lengths_ms=np.rint(minutes * 60_000.0).astype(np.int64),
        released_s=released.astype(np.int64),
        is_niche=is_niche,
        expected_listeners=listeners,
        popularity=popularity,
        effects=parameters.object_sd * effects,
        content_effects=content,
        taste=_draw_taste(parameters, seed, artists, genres, artist_count),
    )


def _draw_artists(parameters: WorldParameters, seed: int, tracks: int) -> tuple[Ints, int, Floats]:
    """Artist of each track, number of artists, and a popularity score of each track."""
    rng = stream(seed, "tracks: artists")
    count = max(8, round(tracks / parameters.tracks_per_artist))
    sizes = np.cumsum(np.exp(parameters.artist_size_spread * rng.standard_normal(count)))
    drawn = np.searchsorted(sizes / sizes[-1], rng.random(tracks), side="right")
    artists = np.minimum(drawn, count - 1).astype(np.int64)
    share = parameters.artist_popularity_share
    fame = rng.standard_normal(count)[artists]
    scores = np.sqrt(share) * fame + np.sqrt(1.0 - share) * rng.standard_normal(tracks)
    return artists, count, scores


def _expected_listeners(
    parameters: WorldParameters, scores: Floats, niche: int, events: int, users: int
) -> Floats:
    """Listeners each track is aimed at: 1 in the niche, a shifted power law of the rank above.

    The curve top * (1 + rank / shift) ** -steepness runs from the top share of users down to
    the rarest; its steepness is the one whose sum is the number of events.
    """
    tracks = len(scores)
    mass = tracks - niche
    top = max(parameters.top_listener_share * users, 4.0 * parameters.rarest_expected_listeners)
    ratio = top / parameters.rarest_expected_listeners
    rank = np.arange(mass, dtype=np.float64)
    low, high = 0.2, 60.0
    for _ in range(60):
        steepness = 0.5 * (low + high)
        shift = mass / (ratio ** (1.0 / steepness) - 1.0)
        curve = top * (1.0 + rank / shift) ** -steepness
        if curve.sum() < events - niche:
            low = steepness
        else:
            high = steepness
    listeners = np.ones(tracks)
    by_score = np.argsort(-scores, kind="stable")
    listeners[by_score[:mass]] = curve * ((events - niche) / curve.sum())
    return listeners


def _draw_kinds(
    parameters: WorldParameters, seed: int, artists: Ints, artist_count: int
) -> tuple[Ints, Ints, Ints]:
    """Genre, second genre (or -1) and language of each track."""
    rng = stream(seed, "tracks: kinds")
    tracks = len(artists)
    artist_genres = draw_rows(rng, parameters.genres, artist_count)
    artist_languages = draw_rows(rng, parameters.languages, artist_count)
    other = rng.random(tracks) < 0.12
    genres = np.where(other, draw_rows(rng, parameters.genres, tracks), artist_genres[artists])
    second = draw_rows(rng, parameters.genres, tracks)
    second = np.where((rng.random(tracks) < 0.07) & (second != genres), second, -1)
    abroad = rng.random(tracks) < 0.05
    languages = np.where(
        abroad, draw_rows(rng, parameters.languages, tracks), artist_languages[artists]
    )
    return genres, second, languages


def _draw_minutes(seed: int, tracks: int) -> Floats:
    """Lengths in minutes: mostly around four, a few interludes and a few suites: (n_tracks,)."""
    rng = stream(seed, "tracks: lengths")
    kind = rng.random(tracks)
    usual = np.clip(3.95 * np.exp(0.20 * rng.standard_normal(tracks)), 2.0, 7.0)
    short = rng.uniform(0.5, 1.95, tracks)
    long = 7.05 + rng.exponential(2.5, tracks)
    return np.where(kind < 0.025, short, np.where(kind > 0.975, long, usual))


def _draw_taste(
    parameters: WorldParameters, seed: int, artists: Ints, genres: Ints, artist_count: int
) -> Floats:
    """Taste vectors: tracks of an artist are alike, of a genre a little: (n_tracks, d)."""
    rng = stream(seed, "tracks: taste")
    d = parameters.taste_dimensions
    by_genre = unit(rng.standard_normal((len(parameters.genres), d)))
    by_artist = unit(rng.standard_normal((artist_count, d)))
    own = unit(rng.standard_normal((len(artists), d)))
    g, a = parameters.genre_taste_share, parameters.artist_taste_share
    mixed = np.sqrt(g) * by_genre[genres] + np.sqrt(a) * by_artist[artists]
    return unit(mixed + np.sqrt(1.0 - g - a) * own)
