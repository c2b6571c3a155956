"""The feedback log: serialised appends, so that the sequence is the order of the log."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from core.log import Outcome
from core.requests import FeedbackEvent
from server.ports import AppendResult, NewFeedback
from server.store.checks import check_finite, check_text
from server.store.database import Database
from server.store.tables import feedback

_LOCK_KEY: Final = 0x656E636F7265
"""Names the log's advisory lock ("encore" in ASCII); PostgreSQL keeps it for each database."""
_LOOK_UP_AT_ONCE: Final = 512

_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.bindparam("key", type_=sa.BigInteger())))
_LAST_LOG_TIME = (
    sa.select(feedback.c.log_time_s)
    .where(feedback.c.domain == sa.bindparam("domain"))
    .order_by(feedback.c.sequence.desc())
    .limit(1)
)
_KNOWN = sa.select(feedback.c.event_id).where(
    feedback.c.event_id.in_(sa.bindparam("event_ids", expanding=True))
)
_INSERT = sa.insert(feedback)
_READ_AFTER = (
    sa.select(
        feedback.c.sequence,
        feedback.c.user_id,
        feedback.c.object_id,
        feedback.c.outcome,
        feedback.c.log_time_s,
        feedback.c.context,
    )
    .where(feedback.c.domain == sa.bindparam("domain"))
    .where(feedback.c.sequence > sa.bindparam("after"))
    .order_by(feedback.c.sequence)
    .limit(sa.bindparam("at_most", type_=sa.Integer()))
)


class SqlFeedbackLog:
    """`server.ports.FeedbackLog` on SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self, domain: str, rows: Sequence[NewFeedback], clock_floor_s: float, now_s: float
    ) -> AppendResult:
        """See `server.ports.FeedbackLog.append`.

        An event_id counts across domains: one that another domain has stored is a duplicate. When
        the connection is lost while committing, the append is repeated: rows that this call itself
        has stored are then reported as duplicates.

        Raises:
            InvalidRequestError: a string with NUL or a lone surrogate, a number that is not finite;
                nothing was stored.
            OverloadedError: other writers held the log for too long; nothing was stored.
            StoreUnavailableError: the database does not work. Rows may or may not be stored:
                appending them again is safe.
        """
        if not rows:
            return AppendResult(accepted=(), duplicates=())
        _check(domain, rows, clock_floor_s, now_s)

        def work(connection: sa.Connection) -> AppendResult:
            self._lock(connection)
            known = _known(connection, [row.event_id for row in rows])
            last_s = connection.execute(_LAST_LOG_TIME, {"domain": domain}).scalar()
            log_time_s = clock_floor_s if last_s is None else max(clock_floor_s, last_s)
            accepted: list[int] = []
            values: list[dict[str, Any]] = []
            for index, row in enumerate(rows):
                if row.event_id in known:
                    continue
                known.add(row.event_id)
                accepted.append(index)
                occurred_s = now_s if row.occurred_at_s is None else row.occurred_at_s
                log_time_s = max(log_time_s, min(occurred_s, now_s))
                values.append(_values(domain, row, log_time_s, now_s))
            if values:
                connection.execute(_INSERT, values)
            new = set(accepted)
            return AppendResult(
                accepted=tuple(accepted),
                duplicates=tuple(i for i in range(len(rows)) if i not in new),
            )

        return self._database.transaction(work)

    def read_after(self, domain: str, sequence: int, limit: int) -> list[FeedbackEvent]:
        """See `server.ports.FeedbackLog.read_after`.

        Raises:
            OverloadedError: no connection was free in time.
            StoreUnavailableError: the database does not work.
        """
        parameters = {"domain": domain, "after": sequence, "at_most": limit}
        rows = self._database.read(lambda c: c.execute(_READ_AFTER, parameters).all())
        return [
            FeedbackEvent(
                sequence=row.sequence,
                user_id=row.user_id,
                object_id=row.object_id,
                outcome=Outcome(row.outcome),
                log_time_s=row.log_time_s,
                context=json.loads(row.context),
            )
            for row in rows
        ]

    def _lock(self, connection: sa.Connection) -> None:
        """Wait until no other append runs; the lock goes with the transaction.

        SQLite has it already (BEGIN IMMEDIATE). PostgreSQL hands out numbers before it commits,
        so two appends at once could show the higher number first. It releases the lock after the
        rows have become visible, and each later statement sees what was committed until then.
        """
        if self._database.dialect == "postgresql":
            connection.execute(_LOCK, {"key": _LOCK_KEY})


def _known(connection: sa.Connection, event_ids: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(event_ids), _LOOK_UP_AT_ONCE):
        chunk = list(event_ids[start : start + _LOOK_UP_AT_ONCE])
        # A list of n ids is a statement of its own for each n: padded to powers of two there are
        # but ten, and both drivers keep them prepared.
        size = 1 << (len(chunk) - 1).bit_length()
        chunk += chunk[-1:] * (size - len(chunk))
        known.update(connection.execute(_KNOWN, {"event_ids": chunk}).scalars())
    return known


def _values(domain: str, row: NewFeedback, log_time_s: float, now_s: float) -> dict[str, Any]:
    return {
        "domain": domain,
        "event_id": row.event_id,
        "user_id": row.user_id,
        "object_id": row.object_id,
        "outcome": row.outcome.value,
        "log_time_s": log_time_s,
        "occurred_at_s": row.occurred_at_s,
        "received_at_s": now_s,
        "recommendation_id": row.recommendation_id,
        "organic": row.organic,
        "value": row.value,
        "context": json.dumps(dict(row.context), ensure_ascii=False, separators=(",", ":")),
    }


def _check(domain: str, rows: Sequence[NewFeedback], clock_floor_s: float, now_s: float) -> None:
    check_text([("domain", domain)])
    check_text(pair for index, row in enumerate(rows) for pair in _text_fields(index, row))
    # A state that has seen nothing may stand at minus infinity.
    floor_s = None if clock_floor_s == -math.inf else clock_floor_s
    check_finite([("now_s", now_s), ("clock_floor_s", floor_s)])
    check_finite(
        pair
        for index, row in enumerate(rows)
        for pair in (
            (f"events[{index}].occurred_at", row.occurred_at_s),
            (f"events[{index}].value", row.value),
        )
    )


def _text_fields(index: int, row: NewFeedback) -> Iterator[tuple[str, str]]:
    yield f"events[{index}].event_id", row.event_id
    yield f"events[{index}].user_id", row.user_id
    yield f"events[{index}].object_id", row.object_id
    yield f"events[{index}].recommendation_id", row.recommendation_id
    for name, value in row.context.items():
        yield f"events[{index}].context", name
        yield f"events[{index}].context[{name!r}]", value
