"""Connections to SQLite or PostgreSQL, set up so that what is committed survives a power cut."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from server.store.errors import StoreUrlError

if TYPE_CHECKING:
    import psycopg

BEGIN_IMMEDIATE = "encore_begin_immediate"
"""Execution option: on SQLite, open transactions with the write lock already taken."""

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_IDLE_IN_TRANSACTION_S = 30.0
"""PostgreSQL ends sessions that hang inside a transaction, lest they hold the log's lock."""


def parse_url(url: str) -> URL:
    """Read a database URL and pick the driver.

    Args:
        url: `sqlite:///relative/or//absolute/path` or `postgresql://user:password@host/database`.

    Raises:
        StoreUrlError: not a URL, another database, SQLite in memory, or a folder that is missing.
    """
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreUrlError(
            "the database URL cannot be read: write sqlite:///file or postgresql://host/database"
        ) from error
    shown = parsed.render_as_string(hide_password=True)
    if parsed.drivername not in _DRIVERS:
        raise StoreUrlError(f"{shown}: unknown kind of database; use sqlite or postgresql")
    if parsed.drivername.startswith("sqlite"):
        if not parsed.database or parsed.database == ":memory:" or "mode" in parsed.query:
            raise StoreUrlError(f"{shown}: SQLite in memory forgets and is not shared; name a file")
        if not Path(parsed.database).absolute().parent.is_dir():
            raise StoreUrlError(f"{shown}: the folder of the file is missing; create it first")
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def shown_url(url: str) -> str:
    """The URL without its password, for people."""
    return parse_url(url).render_as_string(hide_password=True)


def create_engine(url: str, *, pool_size: int = 8, lock_timeout_s: float = 5.0) -> sa.Engine:
    """An engine whose connections commit durably and wait for locks for a bounded time.

    Connections are in autocommit: a lone statement is its own transaction and costs one round
    trip. `Database.transaction` opens explicit ones.

    Args:
        url: see `parse_url`.
        pool_size: connections kept at most.
        lock_timeout_s: longest wait for a lock or a free connection, in seconds.

    Raises:
        StoreUrlError: see `parse_url`.
    """
    parsed = parse_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    # With a transaction control of its own the driver would begin deferred ones, which fail at
    # once when two readers turn into writers: autocommit leaves BEGIN to us.
    arguments: dict[str, Any] = (
        {"timeout": lock_timeout_s} if sqlite else {"client_encoding": "utf8"}
    )
    engine = sa.create_engine(
        parsed,
        isolation_level="AUTOCOMMIT",
        connect_args=arguments,
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=lock_timeout_s,
        # Parameters are what users did: they do not belong into messages and logs.
        hide_parameters=True,
    )
    if sqlite:
        sa.event.listen(engine, "connect", _SetUpSqlite(lock_timeout_s))
        sa.event.listen(engine, "begin", _begin_on_sqlite)
    else:
        sa.event.listen(engine, "connect", _SetUpPostgresql(lock_timeout_s))
    return engine


def transactional(engine: sa.Engine) -> sa.Engine:
    """The same pool, with connections that open an explicit transaction."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{BEGIN_IMMEDIATE: True})
    return engine.execution_options(isolation_level="READ COMMITTED")


def _begin_on_sqlite(connection: sa.Connection) -> None:
    if connection.get_execution_options().get(BEGIN_IMMEDIATE):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class _SetUpSqlite:
    """Settings that SQLite keeps for each connection."""

    def __init__(self, lock_timeout_s: float) -> None:
        self._lock_timeout_s = lock_timeout_s

    def __call__(self, connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        try:
            self._use_wal(cursor)
            # In WAL mode only FULL syncs the log at each commit: NORMAL may lose the last ones.
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
        finally:
            cursor.close()

    def _use_wal(self, cursor: sqlite3.Cursor) -> None:
        """Switch a new file to WAL; SQLite does not wait for others here, so we do."""
        deadline_s = time.monotonic() + self._lock_timeout_s
        while True:
            try:
                mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
                if mode != "wal":
                    mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            except sqlite3.OperationalError:
                if time.monotonic() > deadline_s:
                    raise
            else:
                if mode == "wal" or time.monotonic() > deadline_s:
                    return
            time.sleep(0.01)


class _SetUpPostgresql:
    """Settings that PostgreSQL keeps for each session, sent in one round trip."""

    def __init__(self, lock_timeout_s: float) -> None:
        self._statement = (
            f"SELECT set_config('lock_timeout', '{int(lock_timeout_s * 1000)}ms', false),"
            " set_config('idle_in_transaction_session_timeout',"
            f" '{int(_IDLE_IN_TRANSACTION_S * 1000)}ms', false),"
            # A server may acknowledge before it has written; we promise that we do not.
            " CASE current_setting('synchronous_commit') WHEN 'off'"
            " THEN set_config('synchronous_commit', 'on', false) END"
        )

    def __call__(self, connection: psycopg.Connection, _: ConnectionPoolEntry) -> None:
        connection.execute(self._statement.encode())
        if not connection.autocommit:
            connection.commit()
