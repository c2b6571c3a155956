"""The largest of many scores in one pass: lists are short, catalogues long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.compiling import allocating_kernel, kernel


@allocating_kernel()
def largest(
    scores: NDArray[np.floating], allowed: NDArray[np.bool_], limit: int
) -> NDArray[np.int64]:
    """At most `limit` allowed places (of n) by falling score, ties by rising place; no NaN."""
    heap = np.empty(max(limit, 0), np.int64)  # the worst of those kept stands first
    size = 0
    for i in range(len(scores)):
        if not allowed[i] or np.isnan(scores[i]) or limit <= 0:
            continue
        if size < limit:
            heap[size] = i
            _rise(heap, size, scores)
            size += 1
        elif scores[i] > scores[heap[0]]:
            heap[0] = i
            _sink(heap, size, scores)
    for end in range(size - 1, 0, -1):
        heap[0], heap[end] = heap[end], heap[0]
        _sink(heap, end, scores)
    return heap[:size].copy()


@kernel()
def _worse(a: int, b: int, scores: NDArray[np.floating]) -> bool:
    return bool(scores[a] < scores[b] or (scores[a] == scores[b] and a > b))


@kernel()
def _rise(heap: NDArray[np.int64], place: int, scores: NDArray[np.floating]) -> None:
    while place > 0:
        above = (place - 1) // 2
        if not _worse(heap[place], heap[above], scores):
            return
        heap[place], heap[above] = heap[above], heap[place]
        place = above


@kernel()
def _sink(heap: NDArray[np.int64], size: int, scores: NDArray[np.floating]) -> None:
    place = 0
    while True:
        worst = place
        for below in (2 * place + 1, 2 * place + 2):
            if below < size and _worse(heap[below], heap[worst], scores):
                worst = below
        if worst == place:
            return
        heap[place], heap[worst] = heap[worst], heap[place]
        place = worst
