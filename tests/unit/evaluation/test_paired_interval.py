"""The paired interval: the difference of two models over the same resampled users."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from core.evaluation import bootstrap_auc, interval, paired_auc_interval

Rows = tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.int32]]


def noisy(n_users: int, rows_each: int, seed: int) -> Rows:
    """Labels, a score that knows something of them, and users."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users, dtype=np.int32), rows_each)
    labels = rng.integers(0, 2, len(users)).astype(np.int8)
    return labels, labels + rng.normal(0, 1.5, len(users)), users


def test_a_model_is_not_ahead_of_itself_nor_of_its_own_order_on_another_scale() -> None:
    labels, scores, users = noisy(30, 10, seed=0)
    for same in (scores, np.exp(scores)):
        found = paired_auc_interval(labels, scores, same, users, seed=1)
        assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_perfect_model_is_ahead_of_its_reverse_by_one_on_every_resample() -> None:
    labels = np.array([0, 1] * 20, np.int8)
    users = np.repeat(np.arange(20, dtype=np.int32), 2)
    scores = labels.astype(np.float64)
    found = paired_auc_interval(labels, scores, -scores, users, seed=0)
    assert (found.difference, found.low, found.high) == (1.0, 1.0, 1.0)


def test_changing_sides_turns_the_interval_round() -> None:
    labels, scores, users = noisy(40, 8, seed=2)
    rival = scores + np.random.default_rng(0).normal(0, 1.0, len(scores))
    ahead = paired_auc_interval(labels, scores, rival, users, seed=3)
    behind = paired_auc_interval(labels, rival, scores, users, seed=3)
    assert (behind.difference, behind.low, behind.high) == pytest.approx(
        (-ahead.difference, -ahead.high, -ahead.low)
    )


def test_a_small_gain_on_all_rows_shows_although_the_two_intervals_overlap() -> None:
    labels, scores, users = noisy(60, 10, seed=4)
    rival = scores - 0.15 * labels
    found = paired_auc_interval(labels, scores, rival, users, seed=5)
    assert found.low > 0.0
    ours = interval(bootstrap_auc(labels, scores, users, seed=5))
    theirs = interval(bootstrap_auc(labels, rival, users, seed=5))
    assert theirs[1] > ours[0]
    assert found.high - found.low < 0.5 * (ours[1] - ours[0])


def test_models_that_know_equally_much_are_not_told_apart() -> None:
    labels, _, users = noisy(80, 10, seed=6)
    rng = np.random.default_rng(7)
    one, other = (labels + rng.normal(0, 1.5, len(labels)) for _ in range(2))
    found = paired_auc_interval(labels, one, other, users, seed=8)
    assert found.low < 0.0 < found.high


def test_the_gain_of_one_user_alone_is_no_sure_gain() -> None:
    labels, scores, users = noisy(20, 10, seed=9)
    better = np.where(users == 0, labels * 10.0 - 5.0, scores)
    found = paired_auc_interval(labels, better, scores, users, seed=0)
    assert found.difference > 0.0
    assert found.low <= 0.0 or found.low < 0.2 * found.difference


def test_where_one_label_is_missing_nothing_is_said() -> None:
    found = paired_auc_interval(
        np.ones(4, np.int8), np.arange(4.0), np.arange(4.0), np.zeros(4, np.int32), seed=0
    )
    assert json.dumps(found.to_json()) == '{"difference": null, "low": null, "high": null}'


def test_rows_that_do_not_pair_are_refused() -> None:
    labels, scores, users = noisy(3, 2, seed=0)
    with pytest.raises(ValueError, match="got 6 labels, 6 and 5 scores, 6 users"):
        paired_auc_interval(labels, scores, scores[1:], users, seed=0)
