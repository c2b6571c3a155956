"""Secrets that all replicas on one database share, such as the key that seals page tokens."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from server.store.database import Database
from server.store.tables import secrets

_GET = sa.select(secrets.c.secret).where(secrets.c.name == sa.bindparam("name"))


def _propose_statement(dialect: str) -> sa.Insert:
    """Insert unless somebody was first: whoever reads afterwards reads the same secret."""
    if dialect == "sqlite":
        return sqlite.insert(secrets).on_conflict_do_nothing()
    return postgresql.insert(secrets).on_conflict_do_nothing()


class SqlSecretStore:
    """`server.ports.SecretStore` on SQLite or PostgreSQL.

    All methods raise OverloadedError when a lock was not to be had in time, and
    StoreUnavailableError when the database does not work.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._propose = _propose_statement(database.dialect)

    def agreed(self, name: str, proposal: bytes) -> bytes:
        """See `server.ports.SecretStore.agreed`."""
        parameters = {"name": name, "secret": proposal}
        self._database.write(lambda c: c.execute(self._propose, parameters).close())
        found = self._database.read(lambda c: c.execute(_GET, {"name": name}).scalar_one())
        return bytes(found)
