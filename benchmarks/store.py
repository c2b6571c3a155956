"""What the store costs: µs p50 of reading a 100-item queue and of appending one feedback row.

Absolute figures drift with the machine: each line also gives the ratio to raw sqlite3 doing the
same work in the same run.

    python -m benchmarks.store [--postgres] [--calls N]
"""

from __future__ import annotations

import argparse
import itertools
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from core.log import Outcome
from core.requests import RankedItem
from server.ports import NewFeedback, QueueKey, QueueRecord
from server.store import Store, migrate, open_store
from server.store.blobs import decode_queue, encode_queue
from server.store.testing import postgres_server

KEY = QueueKey("music", "u:1234", "f" * 64)
ITEMS = tuple(
    RankedItem(uuid.uuid5(uuid.NAMESPACE_OID, str(i)).hex, 1 / (i + 3), ("als", "popular"), ())
    for i in range(100)
)


def p50_us(calls: int, work: Callable[[], object]) -> float:
    """Median over single calls, in microseconds, after a tenth of them to warm up."""
    for _ in range(calls // 10):
        work()
    took: list[int] = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        work()
        took.append(time.perf_counter_ns() - start)
    return statistics.median(took) / 1000


def raw_sqlite(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """The least that could do the same: one connection, no layers, the same durability."""
    connection = sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE queues (domain TEXT, user_key TEXT, fingerprint TEXT, items BLOB,"
        " PRIMARY KEY (domain, user_key, fingerprint));"
        "CREATE TABLE feedback (sequence INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT,"
        " event_id TEXT UNIQUE, user_id TEXT, object_id TEXT, outcome TEXT, log_time_s REAL);"
        "CREATE INDEX feedback_domain_sequence ON feedback (domain, sequence);"
    )
    key = (KEY.domain, KEY.user_key, KEY.fingerprint)
    connection.execute("INSERT INTO queues VALUES (?, ?, ?, ?)", (*key, encode_queue(ITEMS, (), 0)))
    numbers = itertools.count()

    def read() -> object:
        return connection.execute(
            "SELECT items FROM queues WHERE domain = ? AND user_key = ? AND fingerprint = ?", key
        ).fetchone()

    def append() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO feedback (domain, event_id, user_id, object_id, outcome, log_time_s)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            ("music", f"e{next(numbers)}", "u1", "t1", "play", 1.0),
        )
        connection.execute("COMMIT")

    return read, append


def through(store: Store) -> tuple[Callable[[], object], Callable[[], object]]:
    """The same through the store, decoding and checks included."""
    store.queues.put(QueueRecord(KEY, uuid.uuid4().hex, "music-1", 0.0, ITEMS))
    numbers = itertools.count()

    def append() -> object:
        row = NewFeedback(f"e{next(numbers)}", "u1", "t1", Outcome.PLAY)
        return store.feedback.append("music", [row], 0.0, 1.0)

    return lambda: store.queues.get(KEY), append


def stores(stack: ExitStack, folder: Path, postgres: bool) -> Iterator[tuple[str, Store]]:
    url = f"sqlite:///{folder}/store.sqlite3"
    migrate(url)
    yield "SQLite", stack.enter_context(open_store(url))
    if postgres:
        server = stack.enter_context(postgres_server(folder / "postgres", fsync=True))
        yield "PostgreSQL", stack.enter_context(open_store(server.migrated_database()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="also a PostgreSQL (pgserver)")
    parser.add_argument("--calls", type=int, default=2000)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        read, append = raw_sqlite(folder)
        base_read, base_append = p50_us(arguments.calls, read), p50_us(arguments.calls, append)
        blob = encode_queue(ITEMS, (), 0)
        decode = p50_us(arguments.calls, lambda: decode_queue(blob))
        print(f"{'':12}{'read a queue':>24}{'append a row':>24}   (µs p50, ratio to raw sqlite3)")
        print(f"{'raw sqlite3':12}{base_read:16.1f}{1:7.1f}x{base_append:16.1f}{1:7.1f}x")
        for name, store in stores(stack, folder, arguments.postgres):
            read, append = through(store)
            got_read, got_append = p50_us(arguments.calls, read), p50_us(arguments.calls, append)
            print(
                f"{name:12}{got_read:16.1f}{got_read / base_read:7.1f}x"
                f"{got_append:16.1f}{got_append / base_append:7.1f}x"
            )
        print(f"of each read, {decode:.1f} µs unpack the items ({len(blob)} bytes)")


if __name__ == "__main__":
    main()
