"""Brings a database to the tables that this code expects, or says why it cannot."""

from __future__ import annotations

from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from server.store.database import translated_errors
from server.store.engine import create_engine, parse_url, shown_url, transactional
from server.store.errors import StoreVersionError

VERSION_TABLE: Final = "encore_version"
"""Where Alembic notes how far the database is; its usual name may be another program's."""

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK_KEY: Final = 0x656E636F7266
"""Names the advisory lock of migrations: the log's, plus one."""
_LOCK_TIMEOUT_S = 120.0
"""Another process may be at the same migration, and it may take a while."""


class Version(Enum):
    """How the tables of a database relate to this code."""

    CURRENT = "current"
    OLDER = "older"
    """Migrations are missing, perhaps all of them."""
    NEWER = "newer"
    """A migration was applied that this code does not know."""


def migrate(url: str) -> None:
    """Apply all missing migrations in one transaction; safe to call from many processes at once.

    Args:
        url: `sqlite:///file` (created when missing) or `postgresql://...` (the database exists).

    Raises:
        StoreUrlError: the URL names nothing that Encore can use.
        StoreVersionError: the database was migrated by a newer version of Encore.
        OverloadedError: another migration or writer held the database for two minutes.
        StoreUnavailableError: the database cannot be reached.
    """
    engine = create_engine(url, pool_size=1, lock_timeout_s=_LOCK_TIMEOUT_S)
    try:
        with translated_errors(), transactional(engine).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
            if version_of(connection) is Version.NEWER:
                raise _newer(url)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def is_current(url: str) -> bool:
    """Whether the database has exactly the tables that this code expects; changes nothing.

    Raises:
        StoreUrlError: the URL names nothing that Encore can use.
        StoreUnavailableError: the database cannot be reached.
    """
    return _version_at(url) is Version.CURRENT


def check_current(url: str) -> None:
    """Raise StoreVersionError unless `is_current`; the message says what to do."""
    version = _version_at(url)
    if version is Version.NEWER:
        raise _newer(url)
    if version is Version.OLDER:
        raise StoreVersionError(
            f"{shown_url(url)}: the database lacks tables that this version of Encore needs:"
            " migrate it first"
        )


def _version_at(url: str) -> Version:
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        return Version.OLDER  # connecting would create the file
    engine = create_engine(url, pool_size=1)
    try:
        with translated_errors(), engine.connect() as connection:
            return version_of(connection)
    finally:
        engine.dispose()


def version_of(connection: sa.Connection) -> Version:
    """Compare the revision noted in the database with the packaged scripts."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = set(context.get_current_heads())
    heads, known = _revisions()
    if found == heads:
        return Version.CURRENT
    return Version.OLDER if found <= known else Version.NEWER


@cache
def _revisions() -> tuple[set[str], set[str]]:
    """The newest revisions and all revisions of the packaged scripts."""
    scripts = ScriptDirectory.from_config(_config())
    return set(scripts.get_heads()), {script.revision for script in scripts.walk_revisions()}


def _config() -> Config:
    config = Config()
    # The configuration parser reads % as the start of a variable.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _newer(url: str) -> StoreVersionError:
    return StoreVersionError(
        f"{shown_url(url)}: the database was migrated by a newer version of Encore: run that"
        " version, or use another database"
    )
