"""Lists as one blob: columns in JSON, for reading a hundred items must cost next to nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from core.requests import RankedItem
from server.ports import ShownItem

_QUEUE_FORMAT: Final = 1
_SHOWN_FORMAT: Final = 1


def encode_queue(items: Sequence[RankedItem], fallbacks: Sequence[str]) -> bytes:
    """Pack the items of a queue; probabilities survive bit for bit (JSON keeps every digit)."""
    # Items share few sets of sources: each is written once and referred to by its number.
    sources: dict[tuple[str, ...], int] = {}
    columns = [
        [item.object_id for item in items],
        [item.probability for item in items],
        [sources.setdefault(tuple(item.sources), len(sources)) for item in items],
        [item.reasons for item in items],
    ]
    return _dump([_QUEUE_FORMAT, columns, list(sources), list(fallbacks)])


def decode_queue(blob: bytes) -> tuple[tuple[RankedItem, ...], tuple[str, ...]]:
    """Items and fallbacks of `encode_queue`.

    Raises:
        ValueError: the blob is of another format.
    """
    columns, source_sets, fallbacks = _load(blob, _QUEUE_FORMAT)
    sources = [tuple(names) for names in source_sets]
    items = tuple(
        RankedItem(object_id, probability, sources[number], tuple(reasons))
        for object_id, probability, number, reasons in zip(*columns, strict=True)
    )
    return items, tuple(fallbacks)


def encode_shown(items: Sequence[ShownItem]) -> bytes:
    """Pack the items of an answered page."""
    columns = [
        [item.object_id for item in items],
        [item.rank for item in items],
        [item.probability for item in items],
    ]
    return _dump([_SHOWN_FORMAT, columns])


def decode_shown(blob: bytes) -> tuple[ShownItem, ...]:
    """Items of `encode_shown`.

    Raises:
        ValueError: the blob is of another format.
    """
    (columns,) = _load(blob, _SHOWN_FORMAT)
    return tuple(ShownItem(*values) for values in zip(*columns, strict=True))


def _dump(value: list[Any]) -> bytes:
    # Reasons quote titles as the catalogue has them, broken ones included.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _load(blob: bytes, format_known: int) -> list[Any]:
    parts: list[Any]
    format_found, *parts = json.loads(bytes(blob).decode("utf-8", "surrogatepass"))
    if format_found != format_known:
        raise ValueError(f"blob format {format_found!r} is unknown: this code reads {format_known}")
    return parts
