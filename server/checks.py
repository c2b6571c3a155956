"""Checks of what callers write: collects everything that is wrong, then says it all at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.errors import FieldViolation, InvalidRequestError

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MAX_ID_BYTES = 256
MAX_REQUEST_ID_BYTES = 128
MAX_OBJECT_IDS = 10_000
MAX_FIELDS = 64
MAX_NAME_BYTES = 128
MAX_VALUE_BYTES = 1024
UTF8_MAX = 4
"""Bytes of UTF-8 a character takes at most."""


class Checks:
    """Violations found so far; `finish` raises them together."""

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []

    def refuse(self, field: str, description: str) -> None:
        """Note one violation."""
        self._found.append(FieldViolation(field, description))

    def finish(self) -> None:
        """Raise InvalidRequestError if anything was wrong."""
        if self._found:
            raise InvalidRequestError(self._found)

    def text(self, field: str, value: str, max_bytes: int) -> None:
        """Any text, also empty, without control characters."""
        problem = _text_problem(value, max_bytes)
        if problem:
            self.refuse(field, problem)

    def id(self, field: str, value: str, max_bytes: int = MAX_ID_BYTES) -> None:
        """An id that must be there."""
        problem = _id_problem(value, max_bytes)
        if problem:
            self.refuse(field, problem)

    def ids(self, field: str, values: Sequence[str], *, at_least: int, at_most: int) -> None:
        """A list of ids of bounded length; each bad one is named by its place."""
        if not at_least <= len(values) <= at_most:
            remedy = "split the call" if values else "name at least one"
            self.refuse(
                field, f"must hold {at_least} to {at_most} ids, got {len(values)}: {remedy}"
            )
            return
        if _all_plain(values):
            return
        for place, value in enumerate(values):
            self.id(f"{field}[{place}]", value)

    def mapping(self, field: str, values: Mapping[str, str]) -> None:
        """Names and values of user or context fields; the engine knows which names exist."""
        if len(values) > MAX_FIELDS:
            self.refuse(field, f"must hold at most {MAX_FIELDS} fields, got {len(values)}")
            return
        for name, value in values.items():
            problem = _id_problem(name, MAX_NAME_BYTES)
            if problem:
                self.refuse(field, f"a field name {problem}")
            else:
                self.text(f'{field}["{name}"]', value, MAX_VALUE_BYTES)

    def between(self, field: str, value: int, low: int, high: int) -> None:
        """A whole number in [low, high]."""
        if not low <= value <= high:
            self.refuse(field, f"must be {low} to {high}, got {value}")

    def share(self, field: str, value: float) -> None:
        """A number in [0, 1]."""
        if not 0.0 <= value <= 1.0:
            self.refuse(field, f"must be 0 to 1, got {value}")


def _all_plain(values: Sequence[str]) -> bool:
    """True only if every id is sound; decided without looking at each one's bytes."""
    longest = max(map(len, values), default=1)
    return (
        all(values)
        and longest * UTF8_MAX <= MAX_ID_BYTES
        and CONTROL_CHARACTER.search("".join(values)) is None
    )


def _id_problem(value: str, max_bytes: int) -> str:
    return "is empty: give an id" if not value else _text_problem(value, max_bytes)


def _text_problem(value: str, max_bytes: int) -> str:
    size = len(value.encode())
    if size > max_bytes:
        return f"has {size} bytes: at most {max_bytes} are allowed"
    control = CONTROL_CHARACTER.search(value)
    if control:
        return f"holds the control character {control.group()!r}: remove it"
    return ""
