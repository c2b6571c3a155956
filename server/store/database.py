"""Runs work on a connection: one writer at a time on SQLite, bounded waits, errors translated."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeVar

import sqlalchemy as sa

from core.errors import OverloadedError
from server.store.engine import transactional
from server.store.errors import StoreUnavailableError

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

RETRY_AFTER_S: Final = 1.0
"""What callers are told to wait when a lock was not to be had in time."""

_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_POSTGRESQL_BUSY = ("55P03", "40001", "40P01", "53300")
"""lock_not_available, serialization_failure, deadlock_detected, too_many_connections."""


class Database:
    """One engine, shared by the stores; safe across threads.

    Work may run twice: after a lost connection (the database restarted, a session was ended) it is
    tried once more on a new one. So all work must be safe to repeat, and is: events are known by
    their ids, everything else replaces.

    All methods raise OverloadedError when a lock or a connection was not to be had within
    `lock_timeout_s`, and StoreUnavailableError when the database cannot be reached or is broken.
    """

    def __init__(self, engine: sa.Engine, lock_timeout_s: float) -> None:
        self._engine = engine
        self._transactional = transactional(engine)
        self._lock_timeout_s = lock_timeout_s
        # SQLite polls for its write lock and may starve a thread; waiting here is fair and cheap.
        # Other processes still meet at SQLite's own lock.
        self._writer = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._closed = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def read(self, work: Work[T]) -> T:
        """Run reading statements, each in a snapshot of its own."""
        return self._run(self._engine.connect, work)

    def write(self, work: Work[T]) -> T:
        """Run one writing statement, which is its own transaction."""
        with self._writing():
            return self._run(self._engine.connect, work)

    def transaction(self, work: Work[T]) -> T:
        """Run several statements as one transaction; any error rolls all of them back."""
        with self._writing():
            return self._run(self._transactional.begin, work)

    def close(self) -> None:
        """Close all connections; calls afterwards raise StoreUnavailableError."""
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._writer is None:
            yield
        elif self._writer.acquire(timeout=self._lock_timeout_s):
            try:
                yield
            finally:
                self._writer.release()
        else:
            raise OverloadedError(RETRY_AFTER_S)

    def _run(
        self,
        connect: Callable[[], AbstractContextManager[sa.Connection]],
        work: Work[T],
    ) -> T:
        if self._closed:
            raise StoreUnavailableError("the store is closed: open it again")
        with translated_errors():
            try:
                with connect() as connection:
                    return work(connection)
            except sa.exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            with connect() as connection:
                return work(connection)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn errors of the driver into Encore's, keeping the cause for the log."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise OverloadedError(RETRY_AFTER_S) from error
    except (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError):
        raise  # bugs, not weather
    except sa.exc.DBAPIError as error:
        if _is_contention(error):
            raise OverloadedError(RETRY_AFTER_S) from error
        raise StoreUnavailableError(
            f"the database does not work: {type(error.orig).__name__}; see the log for the cause,"
            " and try again"
        ) from error


def _is_contention(error: sa.exc.DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        # The low byte is the primary code; the rest says which kind of busy.
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return code & 0xFF in _SQLITE_BUSY
    return getattr(error.orig, "sqlstate", None) in _POSTGRESQL_BUSY
