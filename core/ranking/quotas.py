"""Quotas: how many proposals of each source are worth ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEVER = np.iinfo(np.int32).max
"""Place of an object that a source did not propose."""
STEP = 10
"""Quotas grow by so many proposals at a time."""
LEAST = 10
"""What every source keeps: past lists may not show what it is for, such as what is new."""
UNHEARD = 50
"""What sources keep that had nothing to say in past lists, such as the stored queue."""


@dataclass(frozen=True)
class FoundPlaces:
    """Where sources had what users then took.

    Attributes:
        sources: names, s of them.
        places: (taken, s) place from 0 of each taken object among a source's proposals, or NEVER.
    """

    sources: tuple[str, ...]
    places: NDArray[np.int32]
    heard: frozenset[str]
    """The sources that proposed anything in any list."""

    def recall(self, quotas: Mapping[str, int]) -> float:
        """Share of the taken objects that lie within the quotas; NaN where none was taken."""
        bounds = np.array([quotas.get(name, 0) for name in self.sources])
        if not len(self.places):
            return float("nan")
        return float((self.places < bounds).any(axis=1).mean())


def places_of(
    proposed: Mapping[str, NDArray[np.int32]],
    sources: Sequence[str],
    taken: NDArray[np.int32],
) -> NDArray[np.int32]:
    """(taken, sources): the places of what was taken in one list, see `FoundPlaces`."""
    places = np.full((len(taken), len(sources)), NEVER, np.int32)
    for column, name in enumerate(sources):
        objects = proposed.get(name)
        if objects is None or not len(objects):
            continue
        order = np.argsort(objects)
        at = np.minimum(np.searchsorted(objects[order], taken), len(objects) - 1)
        same = objects[order][at] == taken
        places[same, column] = order[at[same]]
    return places


def learn_quotas(found: FoundPlaces, *, budget: int, limit: int) -> dict[str, int]:
    """The quotas that find most of what was taken, for at most `budget` proposals in all.

    Greedy: STEP proposals after another go to the source that finds most with them that no other
    has found. A source may stand still for a step and find much with the next ones, so each is
    asked for its best rate over any number of steps.

    Args:
        found: of many lists.
        budget: of all sources together; each keeps LEAST or UNHEARD even where that is more.
        limit: of one source.
    """
    sources, places = found.sources, found.places
    quotas = {name: min(LEAST if name in found.heard else UNHEARD, limit) for name in sources}
    steps = np.arange(STEP, limit + STEP, STEP)
    while (left := budget - sum(quotas.values())) >= STEP:
        bounds = np.array([quotas[name] for name in sources])
        missed = places[~(places < bounds).any(axis=1)]
        best: tuple[float, str, int] | None = None
        for column, name in enumerate(sources):
            room = min(limit - quotas[name], left)
            ahead = steps[steps <= room]
            if not len(ahead):
                continue
            gained = np.searchsorted(np.sort(missed[:, column]), quotas[name] + ahead, side="left")
            rates = gained / ahead
            at = int(np.argmax(rates))
            if rates[at] > 0.0 and (best is None or rates[at] > best[0]):
                best = float(rates[at]), name, int(ahead[at])
        if best is None:
            break
        quotas[best[1]] += best[2]
    return quotas
