"""What lists are worth where the truth is known: regret against an oracle, and policies judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.policy.estimators import Estimate, logged_value
from core.policy.report import TargetValue, report_policy
from core.policy.slots import LoggedSlots
from core.policy.weights import Unit
from core.recommend.rerankers import Exploration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SERVED, ORACLE_CANDIDATES, ORACLE_ALL, POPULAR, RANDOM = LISTS = (
    "served",
    "oracle, same candidates",
    "oracle, whole catalogue",
    "popularity",
    "random",
)


@dataclass(frozen=True)
class UserLists:
    """What could have been shown to one user."""

    ranked: Ints
    """(m,) tracks in the order served, the first k of which are shown."""
    probabilities: Floats
    """(m,) what the model says of them, never rising: so the greedy policy serves this order."""
    candidates: Ints
    """(c,) all tracks that could have been ranked, those ranked among them."""
    allowed: Ints
    """(a,) the catalogue as this user could be offered it."""
    popular: Ints
    """(p,) allowed tracks, the most popular first."""


def mean_truths(lists: UserLists, truth: Floats, k: int, seed: int) -> dict[str, float]:
    """Mean truth of the first k of each kind of list.

    Args:
        lists: of one user.
        truth: (tracks,) what each track of the world is worth to this user now.
        k: length of a list; shorter ones are judged by what they have.
        seed: of the random list.
    """
    generator = np.random.default_rng(seed)
    at_random = generator.permutation(lists.allowed)
    return {
        SERVED: _mean(truth[lists.ranked[:k]]),
        ORACLE_CANDIDATES: _mean(np.sort(truth[lists.candidates])[::-1][:k]),
        ORACLE_ALL: _mean(np.sort(truth[lists.allowed])[::-1][:k]),
        POPULAR: _mean(truth[lists.popular[:k]]),
        RANDOM: _mean(truth[at_random[:k]]),
    }


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def regrets(means: Sequence[Mapping[str, float]], seed: int) -> dict[str, dict[str, Estimate]]:
    """Mean truth of each kind of list, and by how much the oracles' lie above it.

    Args:
        means: of `mean_truths`, one a user.
        seed: of the bootstrap over users.
    """
    users = np.arange(len(means))
    columns = {name: np.array([mean[name] for mean in means]) for name in LISTS}

    def over(values: Floats) -> Estimate:
        return logged_value(values, users, seed=seed)

    return {
        name: {
            "mean": over(columns[name]),
            "regret, same candidates": over(columns[ORACLE_CANDIDATES] - columns[name]),
            "regret, whole catalogue": over(columns[ORACLE_ALL] - columns[name]),
        }
        for name in LISTS
    }


@dataclass(frozen=True)
class Trial:
    """One log of exploring lists, with what the greedy policy is truly worth in each unit."""

    slots: LoggedSlots
    truth: Mapping[Unit, float]


def explored(
    lists: Sequence[UserLists], truths: Sequence[Floats], *, rate: float, k: int, seed: int
) -> Trial:
    """Show every user one exploring list and let them take each item with its true probability.

    Users look at every place, and each answer is drawn on its own. The truth by list is the mean of
    the greedy lists; by slot that of the best left at each place, after what was shown before.

    Args:
        lists: one a user.
        truths: (tracks,) for each user.
        rate: of exploration.
        k: length of a list.
        seed: of exploration and answers.
    """
    answers = np.random.default_rng([seed, 1])
    columns: dict[str, list[NDArray[np.generic]]] = {}
    best_left, greedy = [], []
    for user, (shown, truth) in enumerate(zip(lists, truths, strict=True)):
        n = min(k, len(shown.ranked))
        picked = Exploration().drawn(
            np.zeros(len(shown.ranked), np.int8), k, rate, seed * len(lists) + user
        )
        draws, places = picked.draws, picked.positions[:n]
        if draws is None:
            raise ValueError("lists must not be empty and must be explored at a rate above 0")
        tracks, best = shown.ranked[places], draws.best[:n]
        best_left.append(truth[shown.ranked[best]])
        greedy.append(truth[shown.ranked[:n]])
        for name, values in {
            "list": np.full(n, user),
            "user": np.full(n, user),
            "slot": np.arange(1, n + 1),
            "propensity": draws.propensities[:n],
            "choices": draws.choices[:n],
            "explored": places != best,
            "probability": shown.probabilities[places],
            "best_probability": shown.probabilities[best],
            "reward": (answers.random(n) < truth[tracks]).astype(np.float64),
        }.items():
            columns.setdefault(name, []).append(values)
    slots = LoggedSlots(**{name: np.concatenate(parts) for name, parts in columns.items()})
    return Trial(
        slots,
        {
            Unit.SLOT: float(np.concatenate(best_left).mean()),
            Unit.LIST: float(np.concatenate(greedy).mean()),
        },
    )


ESTIMATORS = ("ips", "snips", "doubly_robust")


@dataclass(frozen=True)
class Judged:
    """One estimate beside the truth."""

    unit: Unit
    estimator: str
    estimate: Estimate
    truth: float

    @property
    def is_inside(self) -> bool:
        """Whether the truth lies within the stated interval."""
        return self.estimate.low <= self.truth <= self.estimate.high


def judged(trial: Trial, seed: int) -> list[Judged]:
    """Every estimate of the greedy policy's value from one log, beside the truth."""
    report = report_policy(trial.slots, exploration=0.0, seed=seed)
    return [
        Judged(target.unit, name, _estimate(target, name), trial.truth[target.unit])
        for target in report.targets
        for name in ESTIMATORS
    ]


def _estimate(target: TargetValue, name: str) -> Estimate:
    found = {
        "ips": target.ips,
        "snips": target.snips,
        "doubly_robust": target.doubly_robust,
    }[name]
    assert found is not None, "the greedy target has a doubly robust estimate"
    return found
