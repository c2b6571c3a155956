"""Lists as one blob, by columns: reading a hundred items must cost next to nothing."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from math import isnan, nan
from typing import Any, Final, Protocol

from core.requests import RankedItem
from server.ports import ShownItem

_FORMAT: Final = 2
"""Of queues and shown items; 1 was written before there was any chance in a list."""
_BEFORE_CHANCE: Final = 1


class _Placed(Protocol):
    """What an item of either kind says of how it came to its place."""

    @property
    def probability(self) -> float: ...
    @property
    def propensity(self) -> float: ...
    @property
    def choices(self) -> int: ...
    @property
    def passed_over(self) -> float | None: ...


def encode_queue(items: Sequence[RankedItem], fallbacks: Sequence[str], seed: int) -> bytes:
    """Pack the items of a queue; probabilities survive bit for bit."""
    # Items share few sets of sources and reasons: each is written once and named by its number.
    sets: dict[tuple[str, ...], int] = {}
    columns = [
        [item.object_id for item in items],
        [sets.setdefault(tuple(item.sources), len(sets)) for item in items],
        [sets.setdefault(tuple(item.reasons), len(sets)) for item in items],
    ]
    return _dump([columns, list(sets), list(fallbacks)], seed, items)


def decode_queue(blob: bytes) -> tuple[tuple[RankedItem, ...], tuple[str, ...], int]:
    """Items, fallbacks and seed of `encode_queue`.

    Raises:
        ValueError: the blob is of another format.
    """
    ((object_ids, sources, reasons), set_lists, fallbacks), seed, places = _load(blob)
    sets = [tuple(names) for names in set_lists]
    items = tuple(
        RankedItem(object_id, place[0], sets[source], sets[reason], *place[1:])
        for object_id, source, reason, place in zip(
            object_ids, sources, reasons, places, strict=True
        )
    )
    return items, tuple(fallbacks), seed


def encode_shown(items: Sequence[ShownItem], seed: int) -> bytes:
    """Pack the items of an answered page."""
    columns = [[item.object_id for item in items], [item.rank for item in items]]
    return _dump([columns], seed, items)


def decode_shown(blob: bytes) -> tuple[tuple[ShownItem, ...], int]:
    """Items and seed of `encode_shown`.

    Raises:
        ValueError: the blob is of another format.
    """
    ((object_ids, ranks),), seed, places = _load(blob)
    items = tuple(
        ShownItem(object_id, rank, *place)
        for object_id, rank, place in zip(object_ids, ranks, places, strict=True)
    )
    return items, seed


def _dump(head: list[Any], seed: int, items: Sequence[_Placed]) -> bytes:
    """Length of the head (uint32), the head in JSON, the numbers (float64), little-endian.

    Numbers are the probabilities and, where a place was drawn, propensities and what was passed
    over, NaN for nothing.
    """
    numbers = [item.probability for item in items]
    choices: list[int] = []
    if any(item.choices != 1 or item.propensity != 1.0 for item in items):
        choices = [item.choices for item in items]
        numbers += [item.propensity for item in items]
        numbers += [nan if item.passed_over is None else item.passed_over for item in items]
    # Reasons quote titles as the catalogue has them, broken ones included.
    text = json.dumps([_FORMAT, *head, seed, choices], ensure_ascii=False, separators=(",", ":"))
    encoded = text.encode("utf-8", "surrogatepass")
    return struct.pack(f"<I{len(encoded)}s{len(numbers)}d", len(encoded), encoded, *numbers)


_Place = tuple[float, float, int, float | None]
"""Probability, propensity, choices and what was passed over."""


def _load(blob: bytes) -> tuple[list[Any], int, list[_Place]]:
    (length,) = struct.unpack_from("<I", blob)
    end = 4 + length
    head: list[Any]
    found, *head = json.loads(blob[4:end].decode("utf-8", "surrogatepass"))
    if found == _BEFORE_CHANCE:
        head += [0, []]
    elif found != _FORMAT:
        raise ValueError(f"blob format {found!r} is unknown: this code reads 1 to {_FORMAT}")
    *head, seed, choices = head
    numbers = struct.unpack_from(f"<{(len(blob) - end) // 8}d", blob, end)
    if not choices:
        return head, seed, [(probability, 1.0, 1, None) for probability in numbers]
    n = len(choices)
    passed_over = [None if isnan(number) else number for number in numbers[2 * n :]]
    return head, seed, list(zip(numbers[:n], numbers[n : 2 * n], choices, passed_over, strict=True))
