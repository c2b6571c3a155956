"""The last check of strings and numbers before a database: PostgreSQL takes no NUL in text."""

from __future__ import annotations

import math
from collections.abc import Iterable

from core.errors import FieldViolation, InvalidRequestError


def check_text(fields: Iterable[tuple[str, str]]) -> None:
    """Refuse strings that one of the databases could not store, before anything is written.

    Args:
        fields: pairs of (path of the field, its value).

    Raises:
        InvalidRequestError: a value holds NUL or a lone surrogate.
    """
    violations = [
        FieldViolation(path, problem)
        for path, value in fields
        if (problem := _problem(value)) is not None
    ]
    if violations:
        raise InvalidRequestError(violations)


def check_finite(fields: Iterable[tuple[str, float | None]]) -> None:
    """Refuse numbers that are not finite; None passes.

    Args:
        fields: pairs of (path of the field, its value).

    Raises:
        InvalidRequestError: a value is NaN or infinite.
    """
    violations = [
        FieldViolation(path, f"must be a finite number, got {value!r}: send another")
        for path, value in fields
        if value is not None and not math.isfinite(value)
    ]
    if violations:
        raise InvalidRequestError(violations)


def _problem(value: str) -> str | None:
    if "\0" in value:
        return "must not hold the character NUL: remove it"
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be valid Unicode, got a lone surrogate: remove it"
    return None
