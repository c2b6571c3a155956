"""Every error that Encore raises on purpose; the server maps them to status codes by table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EncoreError(Exception):
    """Root of all errors raised on purpose: the message says what was wrong, got, and to do."""


@dataclass(frozen=True)
class FieldViolation:
    """One thing wrong with one field of a request or one line of a file."""

    field: str
    """Path of the field as the caller wrote it, such as `object_ids[3]` or `train.csv:17`."""
    description: str
    """What was wrong, what was got, what to do."""


class InvalidRequestError(EncoreError):
    """The caller sent something that can never be answered; nothing was changed."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in self.violations))


class InvalidDataError(EncoreError):
    """A file does not say what its format promises; nothing was written."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        self.where = where
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{where}: {problem}. {remedy}")


class NotEnoughDataError(EncoreError):
    """The log is too short to train or evaluate honestly."""


class BundleError(EncoreError):
    """A bundle is damaged, incomplete or made for another schema; it was not loaded."""


class UnknownDomainError(EncoreError):
    """No such domain is registered or served."""

    def __init__(self, domain: str, known: Sequence[str]) -> None:
        self.domain = domain
        self.known = tuple(known)
        super().__init__(f"unknown domain {domain!r}: choose one of {', '.join(self.known)}")


class CapabilityMissingError(EncoreError):
    """The domain does not offer what was asked, and says why."""


class StalePageTokenError(EncoreError):
    """The page token belongs to a queue that has been replaced; ask for a first page again."""


class NotReadyError(EncoreError):
    """The server has no model for this domain yet, or is shutting down."""


class OverloadedError(EncoreError):
    """All workers are busy and the waiting line is full; retry after the given time."""

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"all workers are busy: retry after {retry_after_s:g} s")
