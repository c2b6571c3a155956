from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from server.store import (
    StoreUnavailableError,
    StoreUrlError,
    StoreVersionError,
    is_current,
    migrate,
    open_store,
)
from server.store.engine import create_engine, transactional
from server.store.migrate import VERSION_TABLE
from server.store.tables import metadata


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    try:
        with transactional(engine).begin() as connection:
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(sa.inspect(engine).get_table_names()) - {"sqlite_sequence"}
    finally:
        engine.dispose()


def test_the_migrations_build_exactly_the_tables(empty_url: str) -> None:
    migrate(empty_url)
    engine = create_engine(empty_url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": VERSION_TABLE, "compare_server_default": True}
            )
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()
    assert tables(empty_url) == {*metadata.tables, VERSION_TABLE}


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    migrate(empty_url)
    assert is_current(empty_url)


def test_an_empty_database_is_not_current_and_asking_leaves_it_empty(empty_url: str) -> None:
    assert not is_current(empty_url)
    with pytest.raises(StoreVersionError, match="migrate it first"):
        open_store(empty_url)
    if empty_url.startswith("sqlite"):
        assert not Path(empty_url.removeprefix("sqlite:///")).exists()
    assert tables(empty_url) == set()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty_url: str) -> None:
    migrate(empty_url)
    change(empty_url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    assert not is_current(empty_url)
    with pytest.raises(StoreVersionError, match="newer version of Encore"):
        open_store(empty_url)
    with pytest.raises(StoreVersionError, match="newer version of Encore"):
        migrate(empty_url)


def test_many_may_migrate_at_once(empty_url: str) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(6)

    def run() -> None:
        start.wait()
        try:
            migrate(empty_url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert is_current(empty_url)


def test_a_migration_that_fails_leaves_no_tables_behind(empty_url: str) -> None:
    """The second table is in the way: the first one is rolled back, and trying again works."""
    change(empty_url, "CREATE TABLE recommendations (id INTEGER)")
    with pytest.raises((StoreUnavailableError, sa.exc.ProgrammingError)):
        migrate(empty_url)
    assert tables(empty_url) == {"recommendations"}
    change(empty_url, "DROP TABLE recommendations")
    migrate(empty_url)
    assert is_current(empty_url)


def test_a_path_may_hold_a_percent_sign(tmp_path: Path) -> None:
    folder = tmp_path / "100% encore"
    folder.mkdir()
    url = f"sqlite:///{folder}/store.sqlite3"
    migrate(url)
    assert is_current(url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("store.sqlite3", "cannot be read"),
        ("mysql://root@localhost/encore", "use sqlite or postgresql"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:////no/such/folder/store.sqlite3", "folder of the file is missing"),
    ],
)
def test_a_url_that_names_no_usable_database_is_refused(url: str, problem: str) -> None:
    with pytest.raises(StoreUrlError, match=problem):
        migrate(url)
    with pytest.raises(StoreUrlError, match=problem):
        open_store(url)


def test_a_refused_url_does_not_give_its_password_away() -> None:
    with pytest.raises(StoreUrlError) as caught:
        open_store("mysql://root:secret@localhost/encore")
    assert "secret" not in str(caught.value)
