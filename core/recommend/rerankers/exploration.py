"""Exploration: draws some places of the list, and says exactly how likely each draw was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Draws, Picked, Query, Ranking


@dataclass(frozen=True)
class Exploration:
    """Epsilon-greedy, place by place and without replacement.

    With probability 1 - rate a place goes to the best candidate that is left, else to one drawn
    evenly from the best `among` that are left (the best included). So the propensity of an object
    at its place, given those before it, is rate / choices, and 1 - rate more for the best.
    """

    rate: float = 0.0
    """The domain's, 0 to 1; a request may set its own."""
    among: int = 50
    """How far down the list a draw may reach, so that none is hopeless."""
    name: str = "exploration"

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        """All candidates: as many as the list has places drawn, the others in unchanged order."""
        asked = query.request.exploration
        rate = self.rate if asked is None else asked
        return self.drawn(ranking.tiers, query.request.size, rate, query.request.seed)

    def drawn(self, tiers: NDArray[np.int8], size: int, rate: float, seed: int) -> Picked:
        """As `pick`, of n candidates in order, of which only the tiers (n,) need to be known.

        Args:
            tiers: (n,) never falling.
            size: how many places are drawn, at most n.
            rate: of exploration.
            seed: same seed, same draws.
        """
        n = len(tiers)
        if rate == 0.0 or n == 0:
            return Picked(np.arange(n))
        places = min(n, size)
        generator = np.random.default_rng(seed)
        explores = generator.random(places) < rate
        drawn = generator.random(places)
        left = list(range(n))
        in_tier = np.bincount(tiers).tolist()
        choices, best = np.ones(n, np.int64), np.arange(n)
        is_best = np.ones(n, bool)
        positions = np.empty(n, np.intp)
        for place in range(places):
            best[place] = left[0]
            tier = tiers[left[0]]
            choices[place] = min(in_tier[tier], self.among)
            taken = int(drawn[place] * choices[place]) if explores[place] else 0
            is_best[place] = taken == 0
            positions[place] = left.pop(taken)
            in_tier[tier] -= 1
        # What has no place is not shown: it stands as if nothing had been drawn.
        positions[places:] = best[places:] = left
        return Picked(positions, draws=Draws(propensities(is_best, choices, rate), choices, best))


def propensities(
    is_best: NDArray[np.bool_], choices: NDArray[np.int64], rate: float
) -> NDArray[np.float64]:
    """(n,) probabilities that places went to what stands there, given what stands before.

    Args:
        is_best: (n,) whether it is the best that was left.
        choices: (n,) how many candidates could be drawn.
        rate: of exploration.
    """
    drawn = rate / choices
    # The sum 1 - rate + drawn would not be exactly 1 where there is no choice.
    return np.where(is_best, 1.0 - (choices - 1) * drawn, drawn)
