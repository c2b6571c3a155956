"""Opens a database that is up to date and hands out its stores."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from server.store.database import Database
from server.store.engine import create_engine
from server.store.feedback_log import SqlFeedbackLog
from server.store.migrate import check_current
from server.store.object_audio import SqlObjectAudioStore
from server.store.policy_log import SqlPolicyLog
from server.store.queues import SqlQueueStore
from server.store.recommendations import SqlRecommendationStore
from server.store.secrets import SqlSecretStore


@dataclass(frozen=True)
class Store:
    """The stores of one database; synchronous, safe across threads, one for each process."""

    feedback: SqlFeedbackLog
    queues: SqlQueueStore
    recommendations: SqlRecommendationStore
    secrets: SqlSecretStore
    policy_log: SqlPolicyLog
    object_audio: SqlObjectAudioStore
    database: Database

    def close(self) -> None:
        """Close all connections; calls afterwards raise StoreUnavailableError."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_store(url: str, *, pool_size: int = 8, lock_timeout_s: float = 5.0) -> Store:
    """Open a migrated database.

    Args:
        url: `sqlite:///file` or `postgresql://user:password@host/database`.
        pool_size: connections kept at most; as many as threads call the store.
        lock_timeout_s: longest wait for a lock or a free connection before OverloadedError.

    Raises:
        StoreUrlError: the URL names nothing that Encore can use.
        StoreVersionError: the tables are older or newer than this code.
        StoreUnavailableError: the database cannot be reached.
    """
    check_current(url)
    database = Database(
        create_engine(url, pool_size=pool_size, lock_timeout_s=lock_timeout_s), lock_timeout_s
    )
    return Store(
        feedback=SqlFeedbackLog(database),
        queues=SqlQueueStore(database),
        recommendations=SqlRecommendationStore(database),
        secrets=SqlSecretStore(database),
        policy_log=SqlPolicyLog(database),
        object_audio=SqlObjectAudioStore(database),
        database=database,
    )
