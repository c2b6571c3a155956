"""A made-up world: items whose chance of a reward is known, shown by a policy that explores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.policy.slots import LoggedSlots

ITEMS, PLACES = 8, 4
ATTENTION = np.array([1.0, 0.8, 0.6, 0.5])
"""How much of an item's appeal is left at each place."""


@dataclass(frozen=True)
class World:
    """What was logged, and the truth that nobody knows but us."""

    slots: LoggedSlots
    greedy_lists: float
    """Mean reward of a shown item if all lists were greedy."""
    greedy_slots: float
    """The same if one place of each list, with those before it as logged, were greedy."""
    expected: NDArray[np.float64]
    """(n,) true expected reward of what was shown."""
    expected_best: NDArray[np.float64]
    """(n,) of the best that was left."""


def made_up_world(seed: int, *, users: int = 250, rate: float = 0.3) -> World:
    """One to three lists a user; users like items more or less, the model only nearly knows."""
    generator = np.random.default_rng(seed)
    columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
    greedy, n_lists = 0.0, 0
    appeal_of_item = np.linspace(0.6, 0.1, ITEMS)
    for user in range(users):
        taste = generator.normal(0.0, 0.3)
        for _ in range(int(generator.integers(1, 4))):
            noise = generator.normal(0.0, 0.3, ITEMS)
            logits = np.log(appeal_of_item / (1 - appeal_of_item)) + taste + noise
            appeal = 1 / (1 + np.exp(-logits))
            believed = np.clip(appeal + generator.normal(0.0, 0.1, ITEMS), 0.01, 0.99)
            order = np.argsort(-believed)
            greedy += float((appeal[order[:PLACES]] * ATTENTION).sum())
            left = order.tolist()
            for place in range(PLACES):
                best, n = left[0], len(left)
                taken = int(generator.integers(n)) if generator.random() < rate else 0
                shown = left.pop(taken)
                row = {
                    "list": n_lists,
                    "user": user,
                    "slot": place + 1,
                    "propensity": rate / n + (1 - rate) * (taken == 0),
                    "choices": n,
                    "explored": taken != 0,
                    "probability": believed[shown],
                    "best_probability": believed[best],
                    "reward": generator.random() < appeal[shown] * ATTENTION[place],
                    "expected": appeal[shown] * ATTENTION[place],
                    "expected_best": appeal[best] * ATTENTION[place],
                }
                for name, value in row.items():
                    columns[name].append(float(value))
            n_lists += 1
    arrays: dict[str, NDArray[Any]] = {
        name: np.array(values).astype(COLUMNS[name]) for name, values in columns.items()
    }
    expected, best_expected = arrays.pop("expected"), arrays.pop("expected_best")
    return World(
        LoggedSlots(**arrays),
        greedy / (n_lists * PLACES),
        float(best_expected.mean()),
        expected,
        best_expected,
    )


COLUMNS = {
    "list": np.int64,
    "user": np.int64,
    "slot": np.int64,
    "propensity": np.float64,
    "choices": np.int64,
    "explored": np.bool_,
    "probability": np.float64,
    "best_probability": np.float64,
    "reward": np.float64,
    "expected": np.float64,
    "expected_best": np.float64,
}


@pytest.fixture(scope="module")
def world() -> World:
    return made_up_world(0)


@pytest.fixture
def slots_of() -> Callable[..., LoggedSlots]:
    """Slots of one list of one user, shown for certain, unless said otherwise."""

    def build(n: int, **columns: object) -> LoggedSlots:
        usual = {
            "list": np.zeros(n, int),
            "user": np.zeros(n, int),
            "slot": np.arange(1, n + 1),
            "propensity": np.ones(n),
            "choices": np.ones(n, int),
            "explored": np.zeros(n, bool),
            "probability": np.full(n, 0.5),
            "best_probability": np.full(n, 0.5),
            "reward": np.zeros(n),
        }
        given = {name: np.asarray(column) for name, column in columns.items()}
        return LoggedSlots(**usual | given)

    return build
