from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.store import migrate
from server.store.testing import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.sqlite3"
        migrate(url)
        return url
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.migrated_database()
