"""What can go wrong with a store beyond a bad request or a full waiting line."""

from __future__ import annotations

from core.errors import EncoreError, NotReadyError


class StoreUrlError(EncoreError):
    """The database URL names something that Encore cannot keep its data in."""


class StoreVersionError(EncoreError):
    """The tables of the database are older or newer than this code; nothing was changed."""


class StoreUnavailableError(NotReadyError):
    """The database cannot be reached or does not work; what was asked may be tried again."""
