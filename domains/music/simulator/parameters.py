"""All constants of the simulated world; a checksum test freezes them, so no world gets easier."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from domains.music.simulator.vocabulary import (
    CITIES,
    CONTEXTS,
    GENRES,
    LANGUAGES,
    REGISTRATION_CHANNELS,
    ContextShare,
    GenreShare,
    Share,
)

DAY_S = 86_400


@dataclass(frozen=True)
class WorldParameters:
    """What a world is made of; together with a seed, a size and a start it *is* the world."""

    # The clock.
    days: int = 150
    """Length of the log in days."""
    horizon_days: int = 30
    """A pair is positive if it returns within this many days of its first play."""

    # Size: users keep the length of their history at every size, tracks follow Heaps' law.
    full_events: int = 7_400_000
    """First plays of the real log, whose marginals are imitated."""
    full_tracks: int = 360_000
    """Tracks of the real log."""
    tracks_exponent: float = 0.8
    """Tracks grow as events to this power: a smaller log repeats its tracks less (Heaps' law)."""
    history_shape: float = 0.70
    """Weibull shape of the number of distinct tracks a user hears."""
    history_scale: float = 236.0
    """Weibull scale of the number of distinct tracks a user hears."""
    history_cap: int = 2_400
    """No user hears more distinct tracks than this, nor more than half of those outside the niche
    (which only worlds of less than about 100,000 events come to feel)."""

    # Who is there when.
    new_user_share: float = 0.25
    """Users who register during the log."""
    churn_share: float = 0.15
    """Users who leave before the log ends."""
    activity_history_correlation: float = 0.45
    """Rank correlation between how early a user comes and how many tracks they hear."""
    new_track_share: float = 0.15
    """Tracks released during the log."""
    freshness_boost: float = 1.6
    """Log-weight that a track gains on its release day..."""
    freshness_days: float = 18.0
    """...and loses at this time constant."""

    # Popularity.
    niche_share: float = 0.585
    """Tracks that are offered to one listener only; chance singles of the rest come on top."""
    top_listener_share: float = 0.40
    """Share of the users that the most popular track is aimed at."""
    rarest_expected_listeners: float = 1.6
    """Expected listeners of the least popular track outside the niche."""
    tracks_per_artist: float = 8.0
    """Mean size of an artist's catalogue."""
    artist_size_spread: float = 1.2
    """Log-normal spread of the size of artists' catalogues."""
    artist_popularity_share: float = 0.45
    """Variance share of a track's popularity rank that its artist explains."""

    # Taste.
    taste_dimensions: int = 16
    """Dimensions of the latent taste."""
    communities: int = 24
    """Groups of users who resemble each other."""
    community_share: float = 0.30
    """Variance share of a user's lasting taste that the community explains."""
    drift_share: float = 0.30
    """Variance share of a user's taste that wanders."""
    drift_period_days: tuple[float, float] = (120.0, 500.0)
    """Shortest and longest time in which a wandering taste comes full circle."""
    genre_taste_share: float = 0.15
    """Variance share of a track's taste vector that its genre explains."""
    artist_taste_share: float = 0.30
    """Variance share of a track's taste vector that its artist explains."""

    # How users choose what to play.
    choice_candidates: int = 12
    """Tracks that come to a user's mind, by popularity, before taste decides."""
    choice_taste: float = 1.1
    """Weight of taste among them, per standard deviation of the taste match."""
    loyalty: float = 0.10
    """Chance that a play follows an artist of the user's past..."""
    loyalty_in_artist_contexts: float = 0.45
    """...and in contexts that belong to an artist (album, artist, top hits)."""
    context_spread: float = 0.9
    """How far users' habits of tabs differ (standard deviation of log-shares)."""
    context_stickiness: float = 0.85
    """Chance that the next play of a session keeps its context."""
    session_plays: float = 9.0
    """Mean first plays of a session."""

    # The true logit of a return; standard deviations are those over the events of the log.
    intercept: float = -0.42
    """Logit of a full-size world at which all parts are zero..."""
    intercept_per_decade: float = 0.064
    """...and what a world ten times smaller adds: its users soon run out of what they like best,
    their taste matches fall, and without this fewer pairs would return than were published."""
    taste_sd: float = 0.84
    """Latent taste, user x track: about 35 % of the variance."""
    user_sd: float = 0.50
    """User effect: about 15 %."""
    object_sd: float = 0.50
    """Track effect: about 15 %."""
    object_popularity_correlation: float = 0.82
    """Correlation over events of the track effect with log popularity inside the range below."""
    popularity_range: tuple[float, float] = (7.0, 200.0)
    """Expected listeners between which the track effect grows with log popularity."""
    context_scale: float = 0.90
    """Scale of the tab x type effects of the context table."""
    user_tab_sd: float = 0.24
    """A user's own liking of a tab; with the table about 25 %."""
    genre_sd: float = 0.345
    """Genre effect: with length and age about 10 %."""
    length_effect: tuple[tuple[float, float], ...] = (
        (1.9, -0.68),
        (2.2, -0.14),
        (3.1, 0.02),
        (4.9, 0.02),
        (6.6, -0.14),
        (7.0, -0.69),
    )
    """Effect of the length in minutes, linear between these knots."""
    age_effect: tuple[tuple[float, float], ...] = (
        (33.5, 0.17),
        (35.0, -0.21),
        (45.0, -0.21),
        (46.5, 0.17),
    )
    """Effect of the age in years, linear between these knots."""
    hidden_age_effect: float = -0.17
    """Effect for users who do not tell their age, instead of the knots."""

    # How users answer a list.
    attraction_intercept: float = -1.4
    """Logit that an examined track is taken, at average taste and popularity."""
    attraction_popularity: float = 0.35
    """Weight of a track's standardised log popularity in taking it; taste has `choice_taste`."""
    continue_after_skip: float = 0.93
    """Chance to look at the next position after passing one over."""
    continue_after_take: float = 0.85
    """Chance to look at the next position after taking one."""

    # Repeats of the generic log.
    extra_repeats: float = 1.1
    """Mean repeats within the horizon of a positive pair beyond the first."""
    repeat_delay_days: tuple[float, float] = (1.5, 1.4)
    """Median and log-spread of the time to a repeat."""
    late_repeat_share: float = 0.06
    """Negative pairs that come back after the horizon."""

    # What the files hide, as the real ones do.
    age_hidden_share: float = 0.58
    """Users without a valid age."""
    track_row_missing_share: float = 0.005
    """Tracks without a row in the catalogue."""
    isrc_missing_share: float = 0.08
    """Tracks without an ISRC."""
    genre_missing_share: float = 0.016
    """Tracks without a genre."""
    royalty_free_share: float = 0.03
    """Tracks in the pool `royalty_free`."""

    # Vocabulary with shares and effects.
    contexts: tuple[ContextShare, ...] = field(default=CONTEXTS)
    """Ways a play comes about: share of plays and effect on the return."""
    genres: tuple[GenreShare, ...] = field(default=GENRES)
    """Genres: share of artists and relative effect on the return."""
    languages: tuple[Share, ...] = field(default=LANGUAGES)
    """Languages: share of artists."""
    cities: tuple[Share, ...] = field(default=CITIES)
    """Cities: share of users."""
    registration_channels: tuple[Share, ...] = field(default=REGISTRATION_CHANNELS)
    """Ways of registration: share of users."""

    @property
    def horizon_s(self) -> int:
        """The label's horizon in seconds."""
        return self.horizon_days * DAY_S

    @property
    def duration_s(self) -> int:
        """Length of the log in seconds."""
        return self.days * DAY_S

    def to_json(self) -> dict[str, Any]:
        """The parameters as plain JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> WorldParameters:
        """Reads what `to_json` wrote.

        Raises:
            TypeError: a parameter is missing or unknown.
        """
        missing = {f.name for f in fields(cls)} - set(plain)
        if missing:
            raise TypeError(f"missing parameters: {', '.join(sorted(missing))}")
        values: dict[str, Any] = {k: _tuples(v) for k, v in plain.items()}
        values["contexts"] = tuple(ContextShare(**row) for row in plain["contexts"])
        values["genres"] = tuple(GenreShare(**row) for row in plain["genres"])
        for name in ("languages", "cities", "registration_channels"):
            values[name] = tuple(Share(**row) for row in plain[name])
        return cls(**values)

    def checksum(self) -> str:
        """SHA-256 of the canonical JSON of all parameters, hexadecimal."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _tuples(value: object) -> object:
    """JSON lists as the tuples that they were."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


PARAMETERS = WorldParameters()
"""The one world that later work is judged in."""
