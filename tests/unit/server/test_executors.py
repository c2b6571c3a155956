"""A bounded executor: a line of known length, and no work for callers who have left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from core.errors import OverloadedError
from server.deadline import NO_DEADLINE, Deadline, DeadlineExceededError
from server.executors import BoundedExecutor
from server.testing import PATIENCE_S, Gate, in_loop

LATE = Deadline(lambda: 0.0)


def run(test: Coroutine[object, object, None]) -> None:
    in_loop(test)


async def entered(gate: Gate) -> None:
    await asyncio.to_thread(gate.wait_until_entered)


def executor(workers: int = 1, waiting: int = 1) -> BoundedExecutor:
    return BoundedExecutor(
        "test",
        workers=workers,
        waiting=waiting,
        retry_after_s=2.0,
        observe=lambda _stage, _seconds: None,
    )


def test_work_is_done_in_a_thread_and_its_result_comes_back() -> None:
    async def test() -> None:
        pool = executor()
        assert await pool.run("sum", NO_DEADLINE, lambda: 1 + 1) == 2
        await pool.close()

    run(test())


def test_errors_of_the_work_come_back_too() -> None:
    def fail() -> None:
        raise KeyError("x")

    async def test() -> None:
        pool = executor()
        with pytest.raises(KeyError):
            await pool.run("fail", NO_DEADLINE, fail)
        assert await pool.run("next", NO_DEADLINE, lambda: "still works") == "still works"
        await pool.close()

    run(test())


def test_an_iterator_that_ran_out_is_an_error_and_not_an_endless_wait() -> None:
    async def test() -> None:
        pool = executor()
        with pytest.raises(RuntimeError, match="fail ran out"):
            await pool.run("fail", NO_DEADLINE, lambda: next(iter(())))
        await pool.close()

    run(test())


def test_a_full_line_turns_callers_away_and_says_when_to_come_back() -> None:
    async def test() -> None:
        pool, gate = executor(), Gate()
        held = asyncio.create_task(pool.run("held", NO_DEADLINE, gate.enter))
        await entered(gate)
        waits = asyncio.create_task(pool.run("waits", NO_DEADLINE, lambda: "served"))
        await asyncio.sleep(0)
        assert pool.waiting == 1
        with pytest.raises(OverloadedError) as caught:
            await pool.run("turned away", NO_DEADLINE, lambda: None)
        assert caught.value.retry_after_s == 2.0
        gate.open()
        await held
        assert await waits == "served"
        await pool.close()

    run(test())


def test_work_whose_deadline_has_passed_is_never_begun() -> None:
    async def test() -> None:
        pool, begun = executor(), list[str]()
        with pytest.raises(DeadlineExceededError, match="before score began"):
            await pool.run("score", LATE, lambda: begun.append("late"))
        await pool.run("score", NO_DEADLINE, lambda: begun.append("in time"))
        assert begun == ["in time"]
        await pool.close()

    run(test())


def test_a_caller_who_leaves_the_line_gives_up_the_place_and_the_work() -> None:
    async def test() -> None:
        pool, gate, begun = executor(), Gate(), list[str]()
        held = asyncio.create_task(pool.run("held", NO_DEADLINE, gate.enter))
        await entered(gate)
        leaves = asyncio.create_task(pool.run("left", NO_DEADLINE, lambda: begun.append("left")))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        assert pool.waiting == 0
        gate.open()
        await held
        await pool.run("next", NO_DEADLINE, lambda: begun.append("next"))
        assert begun == ["next"]
        await pool.close()

    run(test())


def test_a_thread_stays_taken_until_its_work_ends_even_if_the_caller_left() -> None:
    async def test() -> None:
        pool, gate = executor(waiting=0), Gate()
        left = asyncio.create_task(pool.run("left", NO_DEADLINE, gate.enter))
        await entered(gate)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        with pytest.raises(OverloadedError):
            await pool.run("too early", NO_DEADLINE, lambda: None)
        gate.open()
        async with asyncio.timeout(PATIENCE_S):
            while True:  # the thread gives itself back a moment after the gate opens
                try:
                    await pool.run("now", NO_DEADLINE, lambda: None)
                    break
                except OverloadedError:
                    await asyncio.sleep(0)
        await pool.close()

    run(test())
