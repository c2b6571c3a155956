"""`encore serve` killed between and amid Feedback calls: nothing is lost, nothing counts twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.requests import FeedbackEvent as StoredEvent
from core.state.events import Event
from core.state.state import State
from encore_client import (
    NO_RETRIES,
    AdminClient,
    ClientOptions,
    EncoreClient,
    EncoreClientError,
    FeedbackEvent,
    FeedbackReceipt,
    ListMode,
    Outcome,
)
from server.store import open_store
from server.store.testing import postgres_server
from server.testing.bundles import TinyBundle

ROOT = Path(__file__).parents[2]
START_S = 300.0
"""A server that does not serve by then never will."""
ONE_TRY = ClientOptions(retry=NO_RETRIES)


@dataclass(frozen=True)
class Process:
    """A running `encore serve` and clients of it."""

    popen: subprocess.Popen[str]
    client: EncoreClient
    admin: AdminClient

    def kill(self) -> None:
        self.popen.kill()
        assert self.popen.wait() == -signal.SIGKILL


@contextmanager
def encore_serve(bundles: Path, database_url: str) -> Iterator[Process]:
    """The command as an operator runs it, on ports of the system's choice, ready to answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "serve", "--domain", "music"],
        cwd=ROOT,
        env={
            **os.environ,
            "ENCORE_BUNDLES": str(bundles),
            "ENCORE_DATABASE_URL": database_url,
            "ENCORE_HOST": "127.0.0.1",
            "ENCORE_PORT": "0",
            "ENCORE_ADMIN_PORT": "0",
            "ENCORE_METRICS_PORT": "0",
            "ENCORE_SCORING_WORKERS": "2",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            told = json.loads(line)
            if told["event"] == "serving":
                break
        else:
            raise AssertionError(f"ended with {process.wait()} before it served")
        watchdog.cancel()
        with (
            EncoreClient(f"127.0.0.1:{told['api']}", domain="music", options=ONE_TRY) as client,
            AdminClient(f"127.0.0.1:{told['admin']}", options=ONE_TRY) as admin,
        ):
            yield Process(process, client, admin)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def batches(bundle: TinyBundle, seed: int) -> Iterator[list[FeedbackEvent]]:
    """Endless random calls of one to twenty events, each event with an id of its own."""
    rng = np.random.default_rng(seed)
    users = [*bundle.users[:8], "new user 1", "new user 2"]
    objects = [*bundle.objects[:30], "new track 1", "new track 2", "new track 3"]
    outcomes = [Outcome.PLAY] * 4 + [Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE, Outcome.SKIP]
    for call in count():
        yield [
            FeedbackEvent(
                str(rng.choice(users)),
                str(rng.choice(objects)),
                Outcome(str(rng.choice(outcomes))),
                event_id=f"{seed}-{call}-{row}",
                context={"source_tab": "search"} if rng.random() < 0.5 else {},
            )
            for row in range(int(rng.integers(1, 21)))
        ]


def stored(database_url: str) -> list[StoredEvent]:
    with open_store(database_url) as store:
        return store.feedback.read_after("music", 0, 100_000)


def oracle(bundle: TinyBundle, rows: list[StoredEvent]) -> State:
    """What a state must be after these rows, each once and in their order."""
    state = bundle.state()
    for row in rows:
        state.update(Event(row.user_id, row.object_id, row.outcome, row.log_time_s, row.context))
    return state


def numbers_at(
    bundle: TinyBundle, state: State, user: str, objects: tuple[str, ...], now_s: float
) -> NDArray[np.float32]:
    state.advance(now_s)
    known = np.array([state.objects.get(i) for i in objects], np.int32)
    batch = state.features(state.users.get(user), known, {}, now_s, bundle.columns())
    return batch.numbers


def assert_state_is(bundle: TinyBundle, served: Process, rows: list[StoredEvent]) -> None:
    """Every feature lies between those of an oracle just before and just after the question.

    What does not move with the clock (every count, share, rate's numerator, vector) is thereby
    compared bit for bit; what moves with it moves one way only.
    """
    assert [m.watermark for m in served.admin.list_serving()] == [rows[-1].sequence]
    state, objects = oracle(bundle, rows), (*bundle.objects[:30], "new track 1", "never heard of")
    still = 0
    for user in (*bundle.users[:8], "new user 1", "new user 2", "never heard of"):
        before_s = time.time()
        shown = served.admin.debug_features("music", user, objects)
        after_s = time.time()
        low = numbers_at(bundle, state, user, objects, before_s)
        high = numbers_at(bundle, state, user, objects, after_s)
        numbers = np.array(shown.numbers, np.float32)
        constant = low.view(np.uint32) == high.view(np.uint32)
        still += int(constant.sum())
        np.testing.assert_array_equal(
            numbers.view(np.uint32)[constant], low.view(np.uint32)[constant]
        )
        moving = ~constant
        assert (numbers[moving] >= np.minimum(low, high)[moving]).all()
        assert (numbers[moving] <= np.maximum(low, high)[moving]).all()
    assert still > 10_000


@dataclass
class Ledger:
    """What the caller knows: acknowledged events, and the one call whose fate is open."""

    acknowledged: list[FeedbackEvent]
    open: list[FeedbackEvent]

    def tell(self, client: EncoreClient, batch: list[FeedbackEvent]) -> FeedbackReceipt:
        self.open = batch
        receipt = client.feedback(batch)
        self.open = []
        self.acknowledged += batch
        return receipt


def flood(served: Process, ledger: Ledger, calls: Iterator[list[FeedbackEvent]]) -> None:
    """Call after call, for ever."""
    for batch in calls:
        assert ledger.tell(served.client, batch).duplicates == 0


def flood_until_killed(
    served: Process, ledger: Ledger, calls: Iterator[list[FeedbackEvent]]
) -> None:
    """A kill from the side while calls follow each other: it falls into one of them."""
    killer = threading.Timer(0.5, served.popen.kill)
    killer.start()
    with pytest.raises(EncoreClientError):
        flood(served, ledger, calls)
    killer.join()
    assert served.popen.wait() == -signal.SIGKILL


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_killed_server_loses_nothing_and_counts_nothing_twice(
    tiny_music: TinyBundle, tmp_path: Path, database: str
) -> None:
    with database_of(database, tmp_path) as url:
        calls, ledger = batches(tiny_music, seed=1), Ledger([], [])
        with encore_serve(tiny_music.root, url) as served:
            for _ in range(20):
                ledger.tell(served.client, next(calls))
            served.kill()  # between two calls

        rows = stored(url)
        known = len(rows)
        assert known == len(ledger.acknowledged)
        with encore_serve(tiny_music.root, url) as served:
            assert_state_is(tiny_music, served, rows)
            flood_until_killed(served, ledger, calls)  # amid a call

        rows = stored(url)
        assert len(ledger.acknowledged) > known
        assert len(rows) - len(ledger.acknowledged) in (0, len(ledger.open))
        with encore_serve(tiny_music.root, url) as served:
            # The caller does not know what became of its last call, and doubts all the others.
            known = len(rows)
            again = ledger.acknowledged + ledger.open
            receipt = served.client.feedback(again)
            assert receipt.duplicates == known
            assert receipt.accepted == len(again) - known
            rows = stored(url)
            assert [told(event) for event in again] == [kept(row) for row in rows]
            assert_state_is(tiny_music, served, rows)


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_killed_server_keeps_its_queues_and_its_tokens(
    tiny_music: TinyBundle, tmp_path: Path, database: str
) -> None:
    with database_of(database, tmp_path) as url:
        user = tiny_music.users[0]
        with encore_serve(tiny_music.root, url) as served:
            whole = served.client.recommend(user, page_size=100)
            first = served.client.recommend(user, page_size=5, list_mode=ListMode.QUEUE)
            served.client.play(user, whole.items[0].object_id)
            served.client.dislike(user, whole.items[6].object_id)
            served.kill()
        with encore_serve(tiny_music.root, url) as served:
            again = served.client.recommend(user, page_size=5, list_mode=ListMode.QUEUE)
            assert again.items == whole.items[1:6]
            # The key that seals tokens is the database's, so those of before are known.
            token = first.next_page_token
            later = served.client.recommend(user, page_size=5, page_token=token)
            assert later.items == (whole.items[5], *whole.items[7:11])


def told(event: FeedbackEvent) -> tuple[str, str, str, dict[str, str]]:
    return event.user_id, event.object_id, event.outcome.value, dict(event.context)


def kept(row: StoredEvent) -> tuple[str, str, str, dict[str, str]]:
    return row.user_id, row.object_id, row.outcome.value, dict(row.context)


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/encore.sqlite3"
        return
    with postgres_server(folder / "postgres", fsync=True) as server:
        yield server.empty_database()
