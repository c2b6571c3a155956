"""What each connection promises: durable commits and bounded waits."""

from __future__ import annotations

import pytest

from server.store import Store, StoreUnavailableError, open_store
from server.store.testing import PostgresServer


def setting(store: Store, sqlite: str, postgresql: str) -> str:
    statement = f"PRAGMA {sqlite}" if store.database.dialect == "sqlite" else f"SHOW {postgresql}"
    return str(store.database.read(lambda c: c.exec_driver_sql(statement).scalar()))


def test_commits_wait_for_the_disk(store: Store) -> None:
    assert setting(store, "synchronous", "synchronous_commit") in ("2", "on")
    assert setting(store, "journal_mode", "full_page_writes") in ("wal", "on")


def test_waiting_for_locks_is_bounded(store: Store) -> None:
    assert setting(store, "busy_timeout", "lock_timeout") in ("5000", "5s")


def test_commits_wait_for_the_disk_even_where_the_server_would_not(
    postgres: PostgresServer,
) -> None:
    url = postgres.migrated_database()
    postgres.execute("ALTER ROLE postgres SET synchronous_commit = off")
    try:
        with open_store(url) as store:
            assert setting(store, "", "synchronous_commit") == "on"
    finally:
        postgres.execute("ALTER ROLE postgres RESET synchronous_commit")


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.feedback.read_after("music", 0, 1)
