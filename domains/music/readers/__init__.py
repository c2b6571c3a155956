"""Readers of music logs."""

from __future__ import annotations

from core.readers import Reader, Readers
from domains.music.readers import kkbox, listenbrainz, sessions
from domains.music.readers.generic import GENERIC_LOG

READERS: Readers = {
    "kkbox": Reader(
        expects="train.csv and members.csv, with test.csv, songs.csv and song_extra_info.csv",
        matches=kkbox.matches,
        read=kkbox.read,
    ),
    "generic": GENERIC_LOG.reader(),
    "listenbrainz": Reader(
        expects="listens as *.jsonl, *.jsonl.gz or *.listens, or a folder listens of them",
        matches=listenbrainz.matches,
        read=listenbrainz.read,
    ),
    "sessions": Reader(
        expects="sessions.csv or sessions.csv.gz", matches=sessions.matches, read=sessions.read
    ),
}

__all__ = ["READERS"]
