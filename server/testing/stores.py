"""Stores in memory that keep the contracts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

from core.requests import FeedbackEvent
from server.ports import (
    AppendResult,
    NewFeedback,
    ObjectAudio,
    QueueKey,
    QueueRecord,
    RecommendationRecord,
)
from server.testing.fakes import PATIENCE_S


@dataclass
class MemoryFeedbackLog:
    """A feedback log that lasts as long as the object."""

    rows: dict[str, list[FeedbackEvent]] = field(default_factory=lambda: defaultdict(list))
    _ids: set[str] = field(default_factory=set)
    _sequence: int = 0
    _lock: Lock = field(default_factory=Lock)

    def append(
        self, domain: str, rows: Sequence[NewFeedback], clock_floor_s: float, now_s: float
    ) -> AppendResult:
        """Store the new ones."""
        accepted: list[int] = []
        duplicates: list[int] = []
        with self._lock:
            for index, row in enumerate(rows):
                if row.event_id in self._ids:
                    duplicates.append(index)
                    continue
                accepted.append(index)
                self._ids.add(row.event_id)
                self._sequence += 1
                log = self.rows[domain]
                occurred_at_s = now_s if row.occurred_at_s is None else row.occurred_at_s
                log_time_s = max(
                    min(occurred_at_s, now_s),
                    log[-1].log_time_s if log else clock_floor_s,
                    clock_floor_s,
                )
                log.append(
                    FeedbackEvent(
                        self._sequence,
                        row.user_id,
                        row.object_id,
                        row.outcome,
                        log_time_s,
                        row.context,
                    )
                )
        return AppendResult(tuple(accepted), tuple(duplicates))

    def read_after(self, domain: str, sequence: int, limit: int) -> list[FeedbackEvent]:
        """The next rows."""
        with self._lock:
            return [row for row in self.rows[domain] if row.sequence > sequence][:limit]


@dataclass
class MemoryQueueStore:
    """Queues that last as long as the object."""

    records: dict[QueueKey, QueueRecord] = field(default_factory=dict)
    succeeded: dict[QueueKey, QueueRecord] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _emptied: Event = field(default_factory=Event)

    def put(self, record: QueueRecord) -> None:
        """Replace the version under the key."""
        with self._lock:
            self.records[record.key] = record

    def succeed(self, record: QueueRecord, predecessor_id: str) -> bool:
        """Replace the version under the key if it is this one, which is kept aside."""
        with self._lock:
            current = self.records.get(record.key)
            if current is None or current.queue_id != predecessor_id:
                return False
            self.succeeded[record.key] = current
            self.records[record.key] = record
            return True

    def get(self, key: QueueKey) -> QueueRecord | None:
        """The current version under the key."""
        return self.records.get(key)

    def version(self, key: QueueKey, queue_id: str) -> QueueRecord | None:
        """The current version or the one kept aside, by its id."""
        both = (self.records.get(key), self.succeeded.get(key))
        return next((r for r in both if r is not None and r.queue_id == queue_id), None)

    def drop_before(self, created_at_s: float) -> int:
        """Forget old ones."""
        old = [key for key, record in self.records.items() if record.created_at_s < created_at_s]
        for key in old:
            del self.records[key]
        for key, record in list(self.succeeded.items()):
            if record.created_at_s < created_at_s:
                del self.succeeded[key]
        if not self.records and old:
            self._emptied.set()
        return len(old)

    def wait_until_empty(self) -> None:
        """Return once the last queue was forgotten."""
        if not self._emptied.wait(PATIENCE_S):
            raise TimeoutError("the queues were never swept")


@dataclass
class MemoryRecommendationStore:
    """Answered pages, in order."""

    records: list[RecommendationRecord] = field(default_factory=list)

    def add(self, record: RecommendationRecord) -> None:
        """Remember one."""
        self.records.append(record)


@dataclass
class MemoryObjectAudioStore:
    """What was heard, as long as the object lasts."""

    rows: dict[str, dict[str, ObjectAudio]] = field(default_factory=dict)
    failure: Exception | None = None
    """Raised by reads when set."""

    def replace(self, domain: str, rows: Sequence[ObjectAudio]) -> None:
        """Forget the old rows of the domain."""
        self.rows[domain] = {row.object_id: row for row in rows}

    def get(self, domain: str, object_ids: Sequence[str]) -> dict[str, ObjectAudio]:
        """The rows of these ids."""
        if self.failure is not None:
            raise self.failure
        known = self.rows.get(domain, {})
        return {i: known[i] for i in object_ids if i in known}
