"""What must outlive the process: feedback, queues and recommendations, on SQLite or PostgreSQL."""

from __future__ import annotations

from server.store.errors import StoreUnavailableError, StoreUrlError, StoreVersionError
from server.store.migrate import is_current, migrate
from server.store.store import Store, open_store

__all__ = [
    "Store",
    "StoreUnavailableError",
    "StoreUrlError",
    "StoreVersionError",
    "is_current",
    "migrate",
    "open_store",
]
