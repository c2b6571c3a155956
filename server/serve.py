"""Puts bundles, store and server together, the way `encore serve` runs them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from server.app import build_server
from server.lifecycle import EncoreServer
from server.logs import Log, json_log
from server.model_store import open_models
from server.serving import Clock
from server.settings import Settings
from server.store import Store, migrate, open_store

DAY_S = 86_400.0
STALE_S = 30 * DAY_S
"""Behind the clock by more, a log is of another time (KKBOX's) or has no clock (sessions)."""


@contextmanager
def assembled(
    settings: Settings, *, clock: Clock = time.time, log: Log | None = None
) -> Iterator[EncoreServer]:
    """A server, not started, over the settings' bundles and database; closes the store at the end.

    The database is brought to the newest schema first: a fresh file needs no step of its own.

    Raises:
        EncoreError: no bundle, a bundle that does not load, or a database that cannot be used.
    """
    log = log or json_log(level=settings.log_level)
    models = open_models(settings.bundles, settings.domains, log)
    for engine in models.engines.values():
        behind_s = clock() - engine.clock_s
        if behind_s > STALE_S:
            log.warning(
                "the bundle's log ended long before the server's clock: everything has faded",
                domain=engine.domain,
                model_version=engine.model_version,
                days_behind=round(behind_s / DAY_S),
            )
    migrate(settings.database_url)
    with open_store(settings.database_url) as store:
        yield build_server(
            settings,
            models.engines,
            models.capabilities,
            store.feedback,
            store.queues,
            store.recommendations,
            store.object_audio,
            clock,
            page_token_key(settings, store),
            log,
        )


def page_token_key(settings: Settings, store: Store) -> bytes:
    """What the settings say, or else what the replicas on this database have agreed on."""
    told = settings.page_token_key.get_secret_value().encode()
    return told or store.secrets.agreed("page_token_key", secrets.token_bytes(32))
