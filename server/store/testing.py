"""Databases for tests: a file for SQLite, a server of its own for PostgreSQL."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

from server.store.migrate import migrate

_TEMPLATE = "encore_template"


@dataclass(frozen=True)
class PostgresServer:
    """A running server that makes databases on demand."""

    socket_folder: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str) -> str:
        """URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    def execute(self, statement: str) -> None:
        """Run one administrative statement."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def empty_database(self) -> str:
        """URL of a new database without tables."""
        name = f"encore_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def migrated_database(self) -> str:
        """URL of a new database with all tables: a copy, which is faster than migrating."""
        name = f"encore_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)


@contextmanager
def postgres_server(folder: Path, *, fsync: bool = False) -> Iterator[PostgresServer]:
    """Start a PostgreSQL server (the wheel `pgserver`) in an empty folder; stop it at the end.

    Args:
        folder: where it keeps its data; deleted at the end.
        fsync: also survive a power cut; without, making databases takes a tenth of the time.
    """
    with warnings.catch_warnings():
        # It looks for a folder for its lock and warns where there is no desktop session.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        from pgserver.postgres_server import get_server  # noqa: PLC0415 - servers run without it

        running = get_server(folder, cleanup_mode="delete")
    try:
        info = running.get_postmaster_info()
        server = PostgresServer(str(info.socket_dir))
        server.execute(f"ALTER SYSTEM SET fsync = {'on' if fsync else 'off'}")
        server.execute("SELECT pg_reload_conf()")
        server.execute(f"CREATE DATABASE {_TEMPLATE}")
        migrate(server.url(_TEMPLATE))
        yield server
    finally:
        running.cleanup()
