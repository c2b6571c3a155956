"""The outbox keeps what it accepted, in order, and no more than it may."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from encore_client import FeedbackEvent, Outcome
from encore_stories.outbox import Outbox, OutboxFullError

MOMENT = datetime(2026, 11, 22, 20, 58, 7, 123456, tzinfo=UTC)


def event(number: int) -> FeedbackEvent:
    return FeedbackEvent(
        "ann",
        f"曲 {number}",
        Outcome.SKIP,
        event_id=f"e{number}",
        occurred_at=MOMENT,
        recommendation_id="r1",
    )


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite3", most=3)
    yield opened
    opened.close()


def test_events_come_out_in_the_order_they_came_in_and_as_they_were(outbox: Outbox) -> None:
    for number in (2, 1, 3):
        outbox.add(event(number))
    assert outbox.first(10) == [event(2), event(1), event(3)]
    assert outbox.first(1) == [event(2)]
    assert len(outbox) == 3


def test_the_same_event_waits_once(outbox: Outbox) -> None:
    for _ in range(5):
        outbox.add(event(1))
    assert outbox.first(10) == [event(1)]


def test_what_does_not_fit_is_refused_and_what_was_accepted_stays(outbox: Outbox) -> None:
    for number in range(3):
        outbox.add(event(number))
    with pytest.raises(OutboxFullError, match="3 events"):
        outbox.add(event(9))
    outbox.add(event(2))  # waits already: no room is needed
    outbox.remove([event(0)])
    outbox.add(event(9))
    assert outbox.first(10) == [event(1), event(2), event(9)]


def test_removed_events_are_gone_and_removing_again_does_nothing(outbox: Outbox) -> None:
    outbox.add(event(1))
    assert outbox.holds("e1")
    outbox.remove([event(1)])
    outbox.remove([event(1), event(7)])
    assert not outbox.holds("e1")
    assert not outbox.first(10)


def test_what_waits_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    killed = (
        "import os, pathlib\n"
        "from encore_client import FeedbackEvent, Outcome\n"
        "from encore_stories.outbox import Outbox\n"
        f"outbox = Outbox(pathlib.Path({str(path)!r}), 10)\n"
        "outbox.add(FeedbackEvent('ann', 't1', Outcome.LIKE, event_id='e1'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    search = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", killed], check=False, env=search)
    outbox = Outbox(path, 10)
    assert [each.event_id for each in outbox.first(10)] == ["e1"]
    outbox.close()


def test_threads_never_overfill_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", most=20)

    def add(number: int) -> bool:
        try:
            outbox.add(event(number))
        except OutboxFullError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        accepted = sum(threads.map(add, range(50)))
    assert accepted == len(outbox) == 20
    outbox.close()
