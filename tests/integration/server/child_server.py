"""A server process for the tests: its calls wait until a line comes on standard input."""

from __future__ import annotations

import asyncio
import sys

from core.requests import ScoreAnswer, ScoreRequest
from server.app import build_server
from server.lifecycle import run_until_signal
from server.logs import json_log
from server.testing import (
    QUIET,
    FakeEngine,
    ManualClock,
    MemoryFeedbackLog,
    MemoryObjectAudioStore,
    MemoryQueueStore,
    MemoryRecommendationStore,
)

LOG = json_log(sys.stdout)
WARM_UP_CALLS = 2


class WaitingEngine(FakeEngine):
    """Scores at once while the server warms up, later only when told to."""

    def score(self, request: ScoreRequest, now_s: float) -> ScoreAnswer:
        if self.calls.count("score") >= WARM_UP_CALLS:
            LOG.info("call is in flight")
            sys.stdin.readline()
        return super().score(request, now_s)


async def main() -> None:
    server = build_server(
        QUIET,
        {"music": WaitingEngine()},
        {},
        MemoryFeedbackLog(),
        MemoryQueueStore(),
        MemoryRecommendationStore(),
        MemoryObjectAudioStore(),
        ManualClock(),
        b"key of the tests",
        LOG,
    )
    await run_until_signal(server)


if __name__ == "__main__":
    asyncio.run(main())
