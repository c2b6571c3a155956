"""What GenreNeighbor answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GenreStatus(Enum):
    """How a question was answered."""

    OK = "ok"
    TRACK_WITHOUT_AUDIO = "track_without_audio"
    """The track is not in the index: no audio of it was given when the model was built."""
    UNKNOWN_TRACK = "unknown_track"
    """The catalogue that the caller named does not hold the track."""


@dataclass(frozen=True)
class Neighbour:
    """A track that sounds like the one asked about."""

    track_id: str
    cosine: float
    """In [-1, 1]."""
    genre: str
    """Its label, or what the model makes of it."""
    labelled: bool
    """True if the genre is a label."""


@dataclass(frozen=True)
class GenreAnswer:
    """The answer; everything but status and note is empty unless the status is OK."""

    status: GenreStatus
    note: str
    """One line saying what the genres rest on and how far they can be believed."""
    genres: tuple[tuple[str, float], ...] = ()
    """Every genre with its probability, the likeliest first; they sum to 1 unless tracks may have
    several genres."""
    genre: str = ""
    """The genre that `same_genre` went by: the track's likeliest label, else the likeliest."""
    labelled: bool = False
    """True if that genre is a label."""
    moods: tuple[tuple[str, float], ...] = ()
    """Every mood that the tagger knows with its probability, the likeliest first."""
    instruments: tuple[tuple[str, float], ...] = ()
    """The same for instruments and voices."""
    neighbours: tuple[Neighbour, ...] = ()
    """The nearest first; fewer than k where fewer tracks qualify."""
    same_recording: tuple[str, ...] = ()
    """Indexed tracks that are the same recording as the one asked about, the nearest first; they
    are not among the neighbours."""
