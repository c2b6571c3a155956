"""The queue store: the newest ranked list for each user and kind of request, one blob each."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from server.ports import QueueKey, QueueRecord
from server.store.blobs import decode_queue, encode_queue
from server.store.checks import check_finite, check_text
from server.store.database import Database
from server.store.tables import queues

_DROP_AT_ONCE: Final = 500
_KEY = (queues.c.domain, queues.c.user_key, queues.c.fingerprint)
_GET = sa.select(
    queues.c.queue_id, queues.c.model_version, queues.c.created_at_s, queues.c["items"]
).where(*(column == sa.bindparam(column.name) for column in _KEY))
# The condition stands twice: PostgreSQL checks the outer one again on rows that were replaced
# while the statement waited for them, so a fresh queue is never dropped for its predecessor.
_DROP = sa.delete(queues).where(
    queues.c.created_at_s < sa.bindparam("before"),
    queues.c.queue_id.in_(
        sa.select(queues.c.queue_id)
        .where(queues.c.created_at_s < sa.bindparam("before"))
        .limit(_DROP_AT_ONCE)
    ),
)


def _put_statement(dialect: str) -> sa.Insert:
    """Insert or replace, in one statement: a reader sees the old version or the new one."""
    if dialect == "sqlite":
        insert: sqlite.Insert | postgresql.Insert = sqlite.insert(queues)
    else:
        insert = postgresql.insert(queues)
    values = ("queue_id", "model_version", "created_at_s", "items")
    return insert.on_conflict_do_update(
        index_elements=list(_KEY), set_={name: insert.excluded[name] for name in values}
    )


class SqlQueueStore:
    """`server.ports.QueueStore` on SQLite or PostgreSQL.

    All methods raise OverloadedError when a lock was not to be had in time, and
    StoreUnavailableError when the database does not work.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = _put_statement(database.dialect)

    def put(self, record: QueueRecord) -> None:
        """See `server.ports.QueueStore.put`.

        Raises:
            InvalidRequestError: a part of the key or an id holds NUL or a lone surrogate.
        """
        values = {
            "domain": record.key.domain,
            "user_key": record.key.user_key,
            "fingerprint": record.key.fingerprint,
            "queue_id": record.queue_id,
            "model_version": record.model_version,
        }
        check_text(values.items())
        check_finite([("created_at_s", record.created_at_s)])
        parameters = {
            **values,
            "created_at_s": record.created_at_s,
            "items": encode_queue(record.items, record.fallbacks, record.seed),
        }
        self._database.write(lambda c: c.execute(self._put, parameters).close())

    def get(self, key: QueueKey) -> QueueRecord | None:
        """See `server.ports.QueueStore.get`."""
        parameters = {
            "domain": key.domain,
            "user_key": key.user_key,
            "fingerprint": key.fingerprint,
        }
        check_text(parameters.items())
        row = self._database.read(lambda c: c.execute(_GET, parameters).first())
        if row is None:
            return None
        queue_id, model_version, created_at_s, blob = row
        items, fallbacks, seed = decode_queue(blob)
        return QueueRecord(key, queue_id, model_version, created_at_s, items, fallbacks, seed)

    def drop_before(self, created_at_s: float) -> int:
        """See `server.ports.QueueStore.drop_before`.

        Works in small steps, so that appends of feedback get their turn in between.
        """
        dropped = 0
        while True:
            step = self._database.write(
                lambda c: c.execute(_DROP, {"before": created_at_s}).rowcount
            )
            dropped += step
            if step < _DROP_AT_ONCE:
                return dropped
