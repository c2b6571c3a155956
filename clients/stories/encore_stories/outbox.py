"""Feedback on its way to Encore: on disk before anything else, bounded, delivered once each."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from encore_client import FeedbackEvent, Outcome

_TABLE = """
CREATE TABLE IF NOT EXISTS waiting (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL
)
"""


class OutboxFullError(Exception):
    """As many events wait as may; nothing was stored."""


class Outbox:
    """A queue in one SQLite file; synchronous, safe across threads of one process.

    An event stays until `remove`, so a crash after delivery delivers it again: its event_id makes
    that harmless.
    """

    def __init__(self, path: Path, most: int) -> None:
        """Opens or creates the file.

        Raises:
            sqlite3.Error: the file cannot be used.
        """
        self._most = most
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        # What was accepted survives a power cut.
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_TABLE)

    def __len__(self) -> int:
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def add(self, event: FeedbackEvent) -> None:
        """Store an event; one that waits already is not stored again.

        Raises:
            OutboxFullError: there is no room.
            sqlite3.Error: the disk does not work.
        """
        with self._lock:
            known = self._database.execute(
                "SELECT 1 FROM waiting WHERE event_id = ?", (event.event_id,)
            ).fetchone()
            if known:
                return
            inserted = self._database.execute(
                "INSERT INTO waiting (event_id, event) SELECT ?, ? "
                "WHERE (SELECT count(*) FROM waiting) < ?",
                (event.event_id, _encoded(event), self._most),
            )
            if inserted.rowcount != 1:
                raise OutboxFullError(f"{self._most} events wait already: try again later")

    def first(self, limit: int) -> list[FeedbackEvent]:
        """The events that have waited longest, in the order they came."""
        with self._lock:
            rows = self._database.execute(
                "SELECT event FROM waiting ORDER BY place LIMIT ?", (limit,)
            ).fetchall()
        return [_decoded(row[0]) for row in rows]

    def holds(self, event_id: str) -> bool:
        """Whether an event waits."""
        with self._lock:
            found = self._database.execute(
                "SELECT 1 FROM waiting WHERE event_id = ?", (event_id,)
            ).fetchone()
        return found is not None

    def remove(self, events: Sequence[FeedbackEvent]) -> None:
        """Forget events that are done with."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "DELETE FROM waiting WHERE event_id = ?", [(e.event_id,) for e in events]
            )
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def _encoded(event: FeedbackEvent) -> str:
    written = asdict(event)
    if event.occurred_at is not None:
        written["occurred_at"] = event.occurred_at.isoformat()
    return json.dumps(written, ensure_ascii=False)


def _decoded(text: str) -> FeedbackEvent:
    read = json.loads(text)
    read["outcome"] = Outcome(read["outcome"])
    if read["occurred_at"] is not None:
        read["occurred_at"] = datetime.fromisoformat(read["occurred_at"])
    return FeedbackEvent(**read)
