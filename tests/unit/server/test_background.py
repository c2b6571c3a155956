"""Work that comes round goes on after a failure and ends when told to."""

from __future__ import annotations

import asyncio

from server.background import Periodic
from server.logs import json_log
from server.testing import PATIENCE_S, LogLines, in_loop


def test_a_failed_round_is_logged_and_the_next_one_comes() -> None:
    log, rounds = LogLines(), list[int]()

    async def test() -> None:
        third = asyncio.Event()

        async def job() -> None:
            rounds.append(len(rounds))
            if len(rounds) == 3:
                third.set()
            raise RuntimeError("database is away")

        periodic = Periodic("tail", 0.001, job, json_log(log))
        periodic.start()
        await asyncio.wait_for(third.wait(), PATIENCE_S)
        await periodic.stop()
        after_stop = len(rounds)
        await asyncio.sleep(0)
        assert len(rounds) == after_stop

    in_loop(test())
    line = log.wait_for("background job failed", job="tail")
    assert "database is away" in str(line["exception"])


def test_zero_seconds_mean_never() -> None:
    async def test() -> None:
        async def job() -> None:
            raise AssertionError("never")

        periodic = Periodic("tail", 0, job, json_log(LogLines()))
        periodic.start()
        await periodic.stop()

    in_loop(test())
