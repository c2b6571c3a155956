"""For tests of the server and its callers: fakes that keep the contracts, a real server."""

from server.testing.fakes import (
    CATALOGUE,
    NEW_OBJECT,
    PATIENCE_S,
    TAKEN_BEFORE,
    FakeEngine,
    FakeGenre,
    Gate,
    ManualClock,
)
from server.testing.harness import QUIET, LogLines, Parts, RunningServer, in_loop, running_server
from server.testing.refusals import bad_fields, reason, refused, retry_after_s
from server.testing.stores import (
    MemoryFeedbackLog,
    MemoryObjectAudioStore,
    MemoryQueueStore,
    MemoryRecommendationStore,
)

__all__ = [
    "CATALOGUE",
    "NEW_OBJECT",
    "PATIENCE_S",
    "QUIET",
    "TAKEN_BEFORE",
    "FakeEngine",
    "FakeGenre",
    "Gate",
    "LogLines",
    "ManualClock",
    "MemoryFeedbackLog",
    "MemoryObjectAudioStore",
    "MemoryQueueStore",
    "MemoryRecommendationStore",
    "Parts",
    "RunningServer",
    "bad_fields",
    "in_loop",
    "reason",
    "refused",
    "retry_after_s",
    "running_server",
]
