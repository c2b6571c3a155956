"""Lists as one blob, by columns: reading a hundred items must cost next to nothing."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Final

from core.requests import RankedItem
from server.ports import ShownItem

_QUEUE_FORMAT: Final = 1
_SHOWN_FORMAT: Final = 1


def encode_queue(items: Sequence[RankedItem], fallbacks: Sequence[str]) -> bytes:
    """Pack the items of a queue; probabilities survive bit for bit."""
    # Items share few sets of sources and reasons: each is written once and named by its number.
    sets: dict[tuple[str, ...], int] = {}
    columns = [
        [item.object_id for item in items],
        [sets.setdefault(tuple(item.sources), len(sets)) for item in items],
        [sets.setdefault(tuple(item.reasons), len(sets)) for item in items],
    ]
    head = [_QUEUE_FORMAT, columns, list(sets), list(fallbacks)]
    return _dump(head, [item.probability for item in items])


def decode_queue(blob: bytes) -> tuple[tuple[RankedItem, ...], tuple[str, ...]]:
    """Items and fallbacks of `encode_queue`.

    Raises:
        ValueError: the blob is of another format.
    """
    ((object_ids, sources, reasons), set_lists, fallbacks), probabilities = _load(
        blob, _QUEUE_FORMAT
    )
    sets = [tuple(names) for names in set_lists]
    items = tuple(
        map(
            RankedItem,
            object_ids,
            probabilities,
            [sets[number] for number in sources],
            [sets[number] for number in reasons],
        )
    )
    return items, tuple(fallbacks)


def encode_shown(items: Sequence[ShownItem]) -> bytes:
    """Pack the items of an answered page."""
    columns = [[item.object_id for item in items], [item.rank for item in items]]
    return _dump([_SHOWN_FORMAT, columns], [item.probability for item in items])


def decode_shown(blob: bytes) -> tuple[ShownItem, ...]:
    """Items of `encode_shown`.

    Raises:
        ValueError: the blob is of another format.
    """
    ((object_ids, ranks),), probabilities = _load(blob, _SHOWN_FORMAT)
    return tuple(map(ShownItem, object_ids, ranks, probabilities))


def _dump(head: list[Any], numbers: list[float]) -> bytes:
    """Length of the head (uint32), the head in JSON, the numbers (float64), little-endian."""
    # Reasons quote titles as the catalogue has them, broken ones included.
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    encoded = text.encode("utf-8", "surrogatepass")
    return struct.pack(f"<I{len(encoded)}s{len(numbers)}d", len(encoded), encoded, *numbers)


def _load(blob: bytes, format_known: int) -> tuple[list[Any], tuple[float, ...]]:
    (length,) = struct.unpack_from("<I", blob)
    end = 4 + length
    parts: list[Any]
    format_found, *parts = json.loads(blob[4:end].decode("utf-8", "surrogatepass"))
    if format_found != format_known:
        raise ValueError(f"blob format {format_found!r} is unknown: this code reads {format_known}")
    return parts, struct.unpack_from(f"<{(len(blob) - end) // 8}d", blob, end)
