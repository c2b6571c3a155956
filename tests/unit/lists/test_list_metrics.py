"""Figures of lists: by hand, against scikit-learn, and where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from core.lists.metrics import accuracy, hits_of, mean_of, paired_means, recall_at
from tests.unit.lists.list_logs import lists_of, targets_of

LOG2_3 = np.log2(3.0)


def test_hits_are_places_of_targets() -> None:
    hits = hits_of(lists_of([7, 3, 9], [3, 7]), targets_of([3, 9, 11], [3]))

    assert hits.tolist() == [[False, True, True], [True, False, False]]


def test_the_figures_of_a_list_by_hand() -> None:
    """Places 2 and 3 of four hit two of three targets."""
    figures = accuracy(np.array([[False, True, True, False]]), np.array([3]), 4)

    assert figures["precision"][0] == pytest.approx(2 / 4)
    assert figures["recall"][0] == pytest.approx(2 / 3)
    assert figures["map"][0] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert figures["hit_rate"][0] == 1.0
    assert figures["mrr"][0] == pytest.approx(1 / 2)
    ideal = 1 + 1 / LOG2_3 + 1 / 2
    assert figures["ndcg"][0] == pytest.approx((1 / LOG2_3 + 1 / 2) / ideal)


def test_a_perfect_list_scores_one_however_many_targets_there_are() -> None:
    lists = lists_of([1, 2], [1, 2])

    figures = accuracy(hits_of(lists, targets_of([1], [1, 2, 3, 4])), np.array([1, 4]), 2)

    assert figures["ndcg"].tolist() == [1.0, 1.0]
    assert figures["map"].tolist() == [1.0, 1.0]
    assert figures["recall"].tolist() == [1.0, 0.5]


def test_targets_that_no_list_can_name_stay_in_the_ideal() -> None:
    """Object 99 was never had by anyone: the list that names the other is not perfect."""
    targets = targets_of([1, 99])

    figures = accuracy(hits_of(lists_of([1, 2]), targets), targets.sizes, 2)

    assert figures["ndcg"][0] == pytest.approx(1 / (1 + 1 / LOG2_3))


def test_a_list_that_ends_early_is_not_excused() -> None:
    targets = targets_of([1])

    figures = accuracy(hits_of(lists_of([1]), targets), targets.sizes, 10)

    assert figures["precision"][0] == pytest.approx(1 / 10)
    assert figures["ndcg"][0] == 1.0


def test_only_the_first_places_count() -> None:
    hits = np.array([[False, False, True]])

    assert accuracy(hits, np.array([1]), 2)["ndcg"][0] == 0.0
    assert recall_at(hits, np.array([1]), 2)[0] == 0.0
    assert recall_at(hits, np.array([1]), 3)[0] == 1.0


def test_users_without_a_target_have_no_figures() -> None:
    figures = accuracy(np.zeros((2, 3), bool), np.array([0, 1]), 3)

    for values in figures.values():
        assert np.isnan(values[0])
        assert values[1] == 0.0
        assert mean_of(values) == 0.0
    assert np.isnan(mean_of(figures["ndcg"][:1]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 12))
def test_ndcg_is_that_of_scikit_learn(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_objects = 6, 12
    relevant = rng.random((n, n_objects)) < 0.3
    relevant[:, 0] = True
    scores = rng.permuted(np.tile(np.arange(n_objects), (n, 1)), axis=1)
    lists = np.argsort(-scores, axis=1).astype(np.int32)
    targets = targets_of(*(np.flatnonzero(row).tolist() for row in relevant))

    ours = accuracy(hits_of(lists, targets), targets.sizes, k)["ndcg"]

    assert ours.mean() == pytest.approx(ndcg_score(relevant, scores, k=k))


def test_the_interval_of_a_constant_difference_is_a_point() -> None:
    rival = np.array([0.1, 0.2, 0.3, 0.4])

    found = paired_means(rival + 0.1, rival, seed=0)

    assert found.difference == pytest.approx(0.1)
    assert found.difference_low == pytest.approx(0.1)
    assert found.difference_high == pytest.approx(0.1)
    assert found.ratio == pytest.approx(0.35 / 0.25)
    assert found.ratio_low < found.ratio < found.ratio_high


def test_only_users_that_both_have_a_value_for_are_compared() -> None:
    found = paired_means(np.array([1.0, np.nan, 3.0]), np.array([1.0, 9.0, np.nan]), seed=0)

    assert (found.users, found.mean, found.rival_mean, found.ratio) == (1, 1.0, 1.0, 1.0)


def test_the_interval_is_about_that_of_the_normal_distribution() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(1.0, 0.5, 400), rng.normal(0.9, 0.5, 400)
    error = (ours - theirs).std() / 20.0

    found = paired_means(ours, theirs, seed=0)

    assert found.difference_high - found.difference_low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_a_rival_that_never_hits_has_no_ratio() -> None:
    found = paired_means(np.array([0.5, 0.5]), np.zeros(2), seed=0).to_json()

    assert found["ratio"] is None
    assert found["difference"] == 0.5


def test_nobody_to_compare_is_no_error() -> None:
    assert paired_means(np.array([np.nan]), np.array([1.0]), seed=0).users == 0


def test_users_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="same users"):
        paired_means(np.ones(2), np.ones(3), seed=0)
