"""The queue store: ranked lists for each user and kind of request, one blob each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from server.ports import QueueKey, QueueRecord
from server.store.blobs import decode_queue, encode_queue
from server.store.checks import check_finite, check_text
from server.store.database import Database
from server.store.tables import queues

_DROP_AT_ONCE: Final = 500
_KEY = (queues.c.domain, queues.c.user_key, queues.c.fingerprint)
_OF_KEY = [column == sa.bindparam(f"of_{column.name}") for column in _KEY]
_READ = sa.select(
    queues.c.queue_id,
    queues.c.model_version,
    queues.c.created_at_s,
    queues.c.ranked_at_s,
    queues.c["items"],
).where(*_OF_KEY)
_CURRENT = _READ.where(queues.c.is_current)
_VERSION = _READ.where(queues.c.queue_id == sa.bindparam("of_queue_id"))
# A successor waits here for another of the same predecessor, and then finds that it came second.
_LOCK_CURRENT = sa.select(queues.c.queue_id).where(*_OF_KEY, queues.c.is_current).with_for_update()
_FORGET_SUCCEEDED = sa.delete(queues).where(*_OF_KEY, ~queues.c.is_current)
_STEP_BACK = sa.update(queues).where(*_OF_KEY, queues.c.is_current).values(is_current=False)
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
    values = ("queue_id", "model_version", "created_at_s", "ranked_at_s", "items")
    return insert.on_conflict_do_update(
        index_elements=[*_KEY, queues.c.is_current],
        set_={name: insert.excluded[name] for name in values},
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
        parameters = _columns_of(record)
        self._database.write(lambda c: c.execute(self._put, parameters).close())

    def succeed(self, record: QueueRecord, predecessor_id: str) -> bool:
        """See `server.ports.QueueStore.succeed`.

        Raises:
            InvalidRequestError: a part of the key or an id holds NUL or a lone surrogate.
        """
        parameters, of_key = _columns_of(record), _parameters_of(record.key)

        def step(connection: sa.Connection) -> bool:
            current = connection.execute(_LOCK_CURRENT, of_key).scalar_one_or_none()
            if current == record.queue_id:
                return True  # a lost connection had stored it
            if current != predecessor_id:
                return False
            connection.execute(_FORGET_SUCCEEDED, of_key).close()
            connection.execute(_STEP_BACK, of_key).close()
            connection.execute(self._put, parameters).close()
            return True

        return self._database.transaction(step)

    def get(self, key: QueueKey) -> QueueRecord | None:
        """See `server.ports.QueueStore.get`."""
        return self._read(_CURRENT, key, {})

    def version(self, key: QueueKey, queue_id: str) -> QueueRecord | None:
        """See `server.ports.QueueStore.version`."""
        return self._read(_VERSION, key, {"of_queue_id": queue_id})

    def _read(
        self, statement: sa.Select[Any], key: QueueKey, more: Mapping[str, str]
    ) -> QueueRecord | None:
        parameters = {**_parameters_of(key), **more}
        row = self._database.read(lambda c: c.execute(statement, parameters).first())
        if row is None:
            return None
        queue_id, model_version, created_at_s, ranked_at_s, blob = row
        items, fallbacks, seed = decode_queue(blob)
        return QueueRecord(
            key, queue_id, model_version, created_at_s, ranked_at_s, items, fallbacks, seed
        )

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


def _columns_of(record: QueueRecord) -> dict[str, Any]:
    """The row of a current version."""
    texts = {
        "domain": record.key.domain,
        "user_key": record.key.user_key,
        "fingerprint": record.key.fingerprint,
        "queue_id": record.queue_id,
        "model_version": record.model_version,
    }
    moments = {"created_at_s": record.created_at_s, "ranked_at_s": record.ranked_at_s}
    check_text(texts.items())
    check_finite(moments.items())
    items = encode_queue(record.items, record.fallbacks, record.seed)
    return {**texts, **moments, "is_current": True, "items": items}


def _parameters_of(key: QueueKey) -> dict[str, str]:
    values = {
        "domain": key.domain,
        "user_key": key.user_key,
        "fingerprint": key.fingerprint,
    }
    check_text(values.items())
    return {f"of_{name}": value for name, value in values.items()}
