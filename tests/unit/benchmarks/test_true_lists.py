"""Lists in a world of five tracks whose worth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.true_lists import (
    ESTIMATORS,
    ORACLE_ALL,
    ORACLE_CANDIDATES,
    POPULAR,
    RANDOM,
    SERVED,
    UserLists,
    explored,
    judged,
    mean_truths,
    regrets,
)
from core.policy.weights import Unit

TRUTH = np.array([0.1, 0.2, 0.3, 0.4, 0.9])
LISTS = UserLists(
    ranked=np.array([1, 3, 0]),
    probabilities=np.array([0.6, 0.5, 0.1]),
    candidates=np.array([1, 3, 0, 2]),
    allowed=np.array([0, 1, 2, 3, 4]),
    popular=np.array([2, 0, 1, 3, 4]),
)


def test_each_list_is_worth_the_mean_truth_of_its_first_tracks() -> None:
    means = mean_truths(LISTS, TRUTH, 2, seed=0)
    assert means[SERVED] == pytest.approx((0.2 + 0.4) / 2)
    assert means[ORACLE_CANDIDATES] == pytest.approx((0.4 + 0.3) / 2)
    assert means[ORACLE_ALL] == pytest.approx((0.9 + 0.4) / 2)
    assert means[POPULAR] == pytest.approx((0.3 + 0.1) / 2)
    assert 0.1 < means[RANDOM] < 0.65


def test_a_list_of_everything_is_worth_the_same_however_it_is_sorted() -> None:
    means = mean_truths(LISTS, TRUTH, 5, seed=0)
    assert means[ORACLE_ALL] == pytest.approx(means[POPULAR])
    assert means[ORACLE_ALL] == pytest.approx(means[RANDOM])
    assert means[SERVED] == pytest.approx((0.2 + 0.4 + 0.1) / 3)


def test_regret_is_what_the_oracle_has_more_on_average() -> None:
    better = mean_truths(LISTS, TRUTH, 2, seed=0)
    worse = mean_truths(LISTS, TRUTH / 2, 2, seed=0)
    of_served = regrets([better, worse], seed=0)[SERVED]
    assert of_served["mean"].value == pytest.approx(0.75 * 0.3)
    assert of_served["regret, same candidates"].value == pytest.approx(0.75 * 0.05)
    found = of_served["regret, whole catalogue"]
    assert found.value == pytest.approx(0.75 * 0.35)
    assert found.low == pytest.approx(0.175)
    assert found.high == pytest.approx(0.35)
    assert regrets([better], seed=0)[ORACLE_ALL]["regret, whole catalogue"].value == 0.0


def test_the_greedy_lists_are_worth_their_truth_and_best_left_is_none_shown_before() -> None:
    trial = explored([LISTS] * 200, [TRUTH] * 200, rate=0.5, k=2, seed=3)
    assert trial.truth[Unit.LIST] == pytest.approx(0.3)
    # First places are worth 0.2; at second ones the best left is 1 after anything but itself.
    second = trial.slots.slot == 2
    first_is_best = ~trial.slots.explored[~second]
    expected = (0.2 + np.where(first_is_best, 0.4, 0.2).mean()) / 2
    assert trial.truth[Unit.SLOT] == pytest.approx(expected)
    assert set(trial.slots.choices[second].tolist()) == {2}
    assert trial.slots.propensity[~second] == pytest.approx(
        np.where(first_is_best, 0.5 + 0.5 / 3, 0.5 / 3)
    )


def test_answers_come_with_the_true_probabilities() -> None:
    certain = explored([LISTS] * 50, [np.ones(5)] * 50, rate=0.3, k=3, seed=0)
    assert certain.slots.reward.all()
    never = explored([LISTS] * 50, [np.zeros(5)] * 50, rate=0.3, k=3, seed=0)
    assert not never.slots.reward.any()


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside: dict[tuple[Unit, str], int] = {}
    for seed in range(10):
        trial = explored([LISTS] * 300, [TRUTH] * 300, rate=0.3, k=2, seed=seed)
        for one in judged(trial, seed=0):
            key = one.unit, one.estimator
            inside[key] = inside.get(key, 0) + one.is_inside
    assert set(inside) == {(unit, name) for unit in Unit for name in ESTIMATORS}
    assert min(inside.values()) >= 8


def test_lists_without_exploration_say_nothing() -> None:
    with pytest.raises(ValueError, match="at a rate above 0"):
        explored([LISTS], [TRUTH], rate=0.0, k=2, seed=0)
