"""The store under fire: killed writers, many writers, held locks, lost connections."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import OverloadedError
from core.log import Outcome
from server.ports import NewFeedback, QueueKey, QueueRecord
from server.store import Store, StoreUnavailableError, is_current, open_store
from server.store.engine import create_engine, transactional
from server.store.tables import feedback
from server.store.testing import PostgresServer

ROOT = Path(__file__).parents[2]


def event(event_id: str) -> NewFeedback:
    return NewFeedback(event_id, "u1", "t1", Outcome.PLAY)


def stored_ids(store: Store) -> list[str]:
    statement = sa.select(feedback.c.event_id).order_by(feedback.c.sequence)
    return store.database.read(lambda c: list(c.execute(statement).scalars()))


def start_writer(url: str, name: str, calls: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fault.store_writer", url, name, str(calls)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def lock_held(url: str) -> Iterator[None]:
    """Another process's append that does not end."""
    engine = create_engine(url)
    try:
        with transactional(engine).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(0x656E636F7265)))
            yield
    finally:
        engine.dispose()


def test_every_acknowledged_event_survives_a_killed_writer(store_url: str) -> None:
    acknowledged: list[str] = []
    for round_ in range(2):
        writer = start_writer(store_url, f"w{round_}", 1_000_000)
        assert writer.stdout is not None
        with writer.stdout:
            lines = [writer.stdout.readline() for _ in range(20 + 13 * round_)]
            writer.kill()
            # What was printed before the kill counts; a torn last line was not acknowledged.
            lines += [line for line in writer.stdout if line.endswith("\n")]
        assert writer.wait() == -9
        acknowledged += [line.strip() for line in lines]

    assert is_current(store_url)
    with open_store(store_url) as store:
        stored = Counter(stored_ids(store))
        assert set(acknowledged) <= set(stored)
        assert set(stored.values()) == {1}
        # All or nothing: of each call all rows are there.
        calls = Counter(event_id.rsplit("-", 1)[0] for event_id in stored)
        assert all(n == 1 + int(call.split("-")[1]) % 3 for call, n in calls.items())
        # The callers do not know what became of the last call: they try again.
        again = store.feedback.append("music", [event(i) for i in acknowledged], 0.0, 1.0)
        assert again.accepted == ()


def test_a_reader_sees_every_row_of_many_writers_in_order(store_url: str) -> None:
    """Threads and processes write; a reader that only ever moves forward misses nothing."""
    n_threads, n_calls = 4, 40
    failures: list[BaseException] = []
    with open_store(store_url, lock_timeout_s=60.0) as store:

        def write(name: str) -> None:
            try:
                for call in range(n_calls):
                    rows = [event(f"{name}-{call}-{row}") for row in range(1 + call % 3)]
                    store.feedback.append("music", rows, 0.0, time.time())
            except BaseException as error:
                failures.append(error)

        writers = [threading.Thread(target=write, args=(f"t{i}",)) for i in range(n_threads)]
        processes = [start_writer(store_url, f"p{i}", n_calls) for i in range(2)]
        for thread in writers:
            thread.start()
        seen: list[int] = []
        times: list[float] = []
        last, finished = 0, False
        while True:
            rows = store.feedback.read_after("music", last, 7)
            seen += [row.sequence for row in rows]
            times += [row.log_time_s for row in rows]
            if rows:
                last = rows[-1].sequence
            elif finished:
                break
            else:
                finished = all(p.poll() is not None for p in processes) and not any(
                    thread.is_alive() for thread in writers
                )
        for thread in writers:
            thread.join()
        for process in processes:
            assert process.stdout is not None
            process.stdout.close()
            assert process.wait() == 0
        assert failures == []
        statement = sa.select(feedback.c.sequence).order_by(feedback.c.sequence)
        stored = store.database.read(lambda c: list(c.execute(statement).scalars()))
    assert len(stored) == (n_threads + 2) * sum(1 + call % 3 for call in range(n_calls))
    assert seen == stored
    assert times == sorted(times)


def test_of_a_race_for_one_event_id_exactly_one_is_accepted(store_url: str) -> None:
    accepted: list[str] = []
    start = threading.Barrier(6)
    with open_store(store_url) as store:

        def write() -> None:
            start.wait()
            for i in range(25):
                rows = [event(f"e{i}"), event(f"e{i + 1}")]
                result = store.feedback.append("music", rows, 0.0, 1.0)
                accepted.extend(rows[index].event_id for index in result.accepted)

        threads = [threading.Thread(target=write) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(accepted) == sorted(f"e{i}" for i in range(26))
        assert sorted(stored_ids(store)) == sorted(accepted)


def test_an_append_waits_for_a_short_lock(store_url: str) -> None:
    results: list[int] = []
    with open_store(store_url, lock_timeout_s=20.0) as store:
        thread = threading.Thread(
            target=lambda: results.append(
                len(store.feedback.append("music", [event("e1")], 0.0, 1.0).accepted)
            )
        )
        with lock_held(store_url):
            thread.start()
            time.sleep(0.3)
            assert results == []
        thread.join()
    assert results == [1]


def test_an_append_gives_up_on_a_long_lock_and_says_when_to_retry(store_url: str) -> None:
    with open_store(store_url, lock_timeout_s=0.2) as store:
        with lock_held(store_url):
            start = time.monotonic()
            with pytest.raises(OverloadedError) as caught:
                store.feedback.append("music", [event("e1")], 0.0, 1.0)
            assert time.monotonic() - start < 5.0
            assert caught.value.retry_after_s > 0
            # Readers are not in the way of writers, nor the other way round.
            assert store.feedback.read_after("music", 0, 1) == []
        assert store.feedback.append("music", [event("e1")], 0.0, 1.0).accepted == (0,)


def test_threads_of_one_process_wait_in_line_for_a_bounded_time(store_url: str) -> None:
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            store.feedback.append("music", [event(f"e{number}")], 0.0, 1.0)
        except OverloadedError as error:
            errors.append(error)

    with open_store(store_url, lock_timeout_s=0.2, pool_size=2) as store:
        with lock_held(store_url):
            threads = [threading.Thread(target=write, args=(i,)) for i in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=20)
        assert len(errors) == 5
        assert stored_ids(store) == []


def test_a_lost_connection_is_replaced_without_the_caller_noticing(
    postgres: PostgresServer,
) -> None:
    url = postgres.migrated_database()
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{url.partition('@/')[2].partition('?')[0]}'"
    )
    key = QueueKey("music", "u:ann", "f")
    record = QueueRecord(key, "q1", "music-1", 1.0, 1.0, ())
    with open_store(url) as store:
        store.feedback.append("music", [event("e1")], 0.0, 1.0)
        postgres.execute(end_all)
        assert store.feedback.append("music", [event("e2")], 0.0, 1.0).accepted == (0,)
        postgres.execute(end_all)
        store.queues.put(record)
        postgres.execute(end_all)
        assert store.queues.get(key) == record
        postgres.execute(end_all)
        assert len(store.feedback.read_after("music", 0, 10)) == 2


def test_a_database_that_is_not_there_is_named_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="does not work"):
        open_store(f"postgresql://postgres:secret@/encore?host={tmp_path}")


def test_a_file_that_is_no_database_is_named_unavailable(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_bytes(b"this is no database, whatever it is called\n" * 99)
    with pytest.raises(StoreUnavailableError, match="does not work"):
        open_store(f"sqlite:///{tmp_path}/store.sqlite3")
