"""The words of the log format with the shares and effects that the simulated world gives them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ContextShare:
    """One way a play comes about; an empty string is a missing value."""

    tab: str
    screen: str
    type: str
    share: float
    """Share of first plays, relative to the other rows."""
    effect: float
    """Effect of tab x type on the logit of a return; equal for equal (tab, type)."""


@dataclass(frozen=True)
class GenreShare:
    """One genre."""

    id: str
    share: float
    """Share of artists, relative to the other rows."""
    effect: float
    """Effect on the logit of a return, before scaling to the variance of the world."""


@dataclass(frozen=True)
class Share:
    """One value of a plain category."""

    value: str
    share: float
    """Relative to the other rows."""


CONTEXTS = (
    ContextShare("my library", "Local playlist more", "local-library", 28.0, 0.72),
    ContextShare("my library", "Local playlist more", "local-playlist", 12.8, 0.58),
    ContextShare("my library", "My library", "local-library", 0.9, 0.72),
    ContextShare("my library", "My library", "local-playlist", 0.4, 0.58),
    ContextShare("my library", "", "online-playlist", 1.6, -0.10),
    ContextShare("my library", "Online playlist more", "online-playlist", 1.9, -0.10),
    ContextShare("my library", "Album more", "album", 1.9, 0.20),
    ContextShare("my library", "", "top-hits-for-artist", 1.1, -0.15),
    ContextShare("my library", "Search", "song", 0.9, 0.15),
    ContextShare("my library", "Artist more", "artist", 0.05, 0.05),
    ContextShare("discover", "Online playlist more", "online-playlist", 13.6, -0.42),
    ContextShare("discover", "Discover Chart", "online-playlist", 2.9, -0.42),
    ContextShare("discover", "Discover Feature", "online-playlist", 2.2, -0.42),
    ContextShare("discover", "Discover Genre", "online-playlist", 1.1, -0.42),
    ContextShare("discover", "", "song-based-playlist", 1.6, -0.65),
    ContextShare("discover", "Discover Feature", "song-based-playlist", 1.2, -0.65),
    ContextShare("discover", "", "top-hits-for-artist", 1.7, -0.48),
    ContextShare("discover", "Album more", "album", 2.6, -0.55),
    ContextShare("discover", "Unknown", "online-playlist", 0.7, -0.42),
    ContextShare("discover", "Discover New", "local-library", 0.8, 0.10),
    ContextShare("discover", "Discover Feature", "topic-article-playlist", 0.15, -0.70),
    ContextShare("discover", "Discover Feature", "my-daily-playlist", 0.05, 0.25),
    ContextShare("discover", "Search", "song", 0.9, -0.20),
    ContextShare("search", "Artist more", "top-hits-for-artist", 2.8, -0.45),
    ContextShare("search", "Search", "song", 2.1, 0.12),
    ContextShare("search", "Album more", "album", 2.0, -0.30),
    ContextShare("search", "Online playlist more", "online-playlist", 1.2, -0.75),
    ContextShare("search", "Search Trends", "song", 0.2, 0.12),
    ContextShare("search", "Search Home", "online-playlist", 0.2, -0.75),
    ContextShare("radio", "Radio", "radio", 6.4, -1.35),
    ContextShare("listen with", "Others profile more", "listen-with", 2.5, -1.05),
    ContextShare("listen with", "", "online-playlist", 0.3, -0.40),
    ContextShare("explore", "Explore", "online-playlist", 1.2, -0.35),
    ContextShare("explore", "", "online-playlist", 0.8, -0.35),
    ContextShare("explore", "Unknown", "top-hits-for-artist", 0.2, -0.30),
    ContextShare("null", "", "local-playlist", 0.1, 0.40),
    ContextShare("notification", "", "album", 0.03, 0.10),
    ContextShare("settings", "", "local-library", 0.03, 0.55),
    ContextShare("", "", "", 0.3, 0.0),
)

ARTIST_TYPES = ("album", "artist", "top-hits-for-artist")
"""Types of context that belong to one artist."""

REPEAT_CONTEXT = ("my library", "Local playlist more", "local-library")
"""Where most repeats are played from."""

GENRES = (
    GenreShare("465", 43.0, 0.40),
    GenreShare("458", 16.0, 0.55),
    GenreShare("921", 7.0, -0.75),
    GenreShare("1609", 6.0, -0.85),
    GenreShare("444", 5.0, 0.70),
    GenreShare("1259", 4.5, -0.60),
    GenreShare("2022", 4.0, -1.15),
    GenreShare("359", 3.5, -0.35),
    GenreShare("2122", 2.5, -1.30),
    GenreShare("139", 2.0, -0.30),
    GenreShare("958", 1.8, -1.80),
    GenreShare("786", 1.5, -1.50),
    GenreShare("726", 1.2, 0.20),
    GenreShare("437", 1.0, -0.20),
    GenreShare("451", 0.6, 0.65),
    GenreShare("947", 0.4, -1.40),
)

LANGUAGES = (
    Share("3", 45.0),
    Share("52", 27.0),
    Share("31", 11.0),
    Share("-1", 6.0),
    Share("17", 5.0),
    Share("10", 3.0),
    Share("24", 2.4),
    Share("59", 0.4),
    Share("45", 0.2),
)

CITIES = (
    Share("1", 56.5),
    Share("13", 9.9),
    Share("5", 7.7),
    Share("4", 5.0),
    Share("15", 4.4),
    Share("22", 4.3),
    Share("6", 2.7),
    Share("14", 2.1),
    Share("12", 1.4),
    Share("9", 1.2),
    Share("8", 1.1),
    Share("11", 1.0),
    Share("18", 0.9),
    Share("10", 0.8),
    Share("21", 0.6),
    Share("3", 0.4),
)

REGISTRATION_CHANNELS = (
    Share("4", 33.1),
    Share("7", 27.4),
    Share("9", 25.1),
    Share("3", 14.2),
    Share("13", 0.2),
)
