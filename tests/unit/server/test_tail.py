"""The tail puts each stored row into the engine once, in log order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.log import Outcome
from core.requests import FeedbackEvent
from server.ports import NewFeedback
from server.tail import BATCH, FeedbackTail
from server.testing import FakeEngine, MemoryFeedbackLog


def plays(count: int, prefix: str = "e") -> list[NewFeedback]:
    return [NewFeedback(f"{prefix}{n}", "ann", f"t{n}", Outcome.PLAY) for n in range(count)]


def test_catching_up_applies_rows_in_order_and_only_once() -> None:
    log, engine = MemoryFeedbackLog(), FakeEngine()
    tail = FeedbackTail("music", lambda: engine, log)
    log.append("music", plays(3), 0.0, 10.0)
    assert tail.catch_up() == 3
    assert tail.catch_up() == 0
    assert [row.sequence for row in engine.applied] == [1, 2, 3]


def test_rows_of_other_domains_are_left_alone() -> None:
    log, engine = MemoryFeedbackLog(), FakeEngine()
    log.append("travel", plays(2, "other"), 0.0, 10.0)
    log.append("music", plays(1), 0.0, 10.0)
    assert FeedbackTail("music", lambda: engine, log).catch_up() == 1
    assert engine.watermark == 3


def test_more_rows_than_one_read_brings_are_all_applied() -> None:
    log, engine = MemoryFeedbackLog(), FakeEngine()
    log.append("music", plays(BATCH + 1), 0.0, 10.0)
    assert FeedbackTail("music", lambda: engine, log).catch_up() == BATCH + 1


def test_callers_that_come_at_once_apply_nothing_twice() -> None:
    log, engine = MemoryFeedbackLog(), FakeEngine()
    tail = FeedbackTail("music", lambda: engine, log)
    log.append("music", plays(500), 0.0, 10.0)
    with ThreadPoolExecutor(8) as callers:
        applied = sum(callers.map(lambda _: tail.catch_up(), range(8)))
    assert applied == 500
    assert [row.sequence for row in engine.applied] == list(range(1, 501))


def test_a_swapped_engine_resumes_at_its_own_watermark() -> None:
    log, engines = MemoryFeedbackLog(), [FakeEngine()]
    tail = FeedbackTail("music", lambda: engines[-1], log)
    log.append("music", plays(2), 0.0, 10.0)
    tail.catch_up()
    engines.append(FakeEngine(model_version="v2"))
    assert tail.catch_up() == 2
    assert engines[1].watermark == 2


def test_a_successor_has_seen_everything_before_it_is_put_in_service() -> None:
    log, old, new = MemoryFeedbackLog(), FakeEngine(), FakeEngine(model_version="v2")
    tail = FeedbackTail("music", lambda: old, log)
    log.append("music", plays(3), 0.0, 10.0)
    tail.catch_up()
    watermarks: list[int] = []
    tail.hand_over(new, lambda: watermarks.append(new.watermark))
    assert watermarks == [old.watermark]


def test_an_engine_that_ignores_rows_is_an_error_and_not_an_endless_loop() -> None:
    class Deaf(FakeEngine):
        def apply(self, event: FeedbackEvent) -> None:
            pass

    log = MemoryFeedbackLog()
    log.append("music", plays(1), 0.0, 10.0)
    with pytest.raises(RuntimeError, match="did not reach"):
        FeedbackTail("music", Deaf, log).catch_up()
