"""The figures of an evaluation, against scikit-learn, by hand, and where they are undefined."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from core.evaluation import (
    CALIBRATION_BINS,
    Figures,
    auc,
    bootstrap_auc,
    calibration_error,
    figures,
    interval,
    per_user_auc,
)

SEEDS = st.integers(0, 2**32 - 1)
bounded = settings(max_examples=40, deadline=None)

Rows = tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.int32]]


def rows_of(seed: int, n: int, n_users: int, levels: int) -> Rows:
    """Labels, scores and users; few `levels` of scores make many ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(np.int8)
    scores = rng.integers(0, levels, n) / levels
    return labels, scores, rng.integers(0, n_users, n).astype(np.int32)


def all_figures(rows: Rows, cold: NDArray[np.bool_] | None = None, seed: int = 0) -> Figures:
    labels, scores, users = rows
    none = np.zeros(len(labels), bool)
    return figures(
        labels,
        scores,
        users,
        cold_user=none if cold is None else cold,
        cold_object=none,
        seed=seed,
    )


def int8(*values: int) -> NDArray[np.int8]:
    return np.array(values, np.int8)


def int32(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4], 1.0),
        ([0.4, 0.3, 0.2, 0.1], 0.0),
        ([0.5, 0.5, 0.5, 0.5], 0.5),
        # Pairs won: (c, a), (d, a), (d, b); c and b are tied, which is half a pair.
        ([0.1, 0.3, 0.3, 0.4], 3.5 / 4),
    ],
)
def test_auc_is_the_share_of_pairs_in_the_right_order_and_a_tie_is_half_a_pair(
    scores: list[float], expected: float
) -> None:
    assert auc(int8(0, 0, 1, 1), np.array(scores)) == pytest.approx(expected)


@given(SEEDS, st.integers(1, 20), st.integers(1, 8))
@bounded
def test_each_bootstrap_sample_is_the_auc_of_whole_users_drawn_with_replacement(
    seed: int, n_users: int, levels: int
) -> None:
    labels, scores, users = rows_of(seed, 60, n_users, levels)
    samples = bootstrap_auc(labels, scores, users, seed=seed, resamples=5)
    names = np.unique(users)
    generator = np.random.default_rng(seed)
    for sample in samples:
        drawn = names[generator.integers(len(names), size=len(names))]
        rows = np.concatenate([np.flatnonzero(users == user) for user in drawn])
        if labels[rows].min() == labels[rows].max():
            assert np.isnan(sample)
        else:
            assert sample == pytest.approx(roc_auc_score(labels[rows], scores[rows]), abs=1e-12)


def test_a_log_of_one_user_has_no_spread_because_users_are_drawn_whole() -> None:
    labels, scores, _ = rows_of(0, 50, 1, 10)
    samples = bootstrap_auc(labels, scores, np.full(50, 7, np.int32), seed=3, resamples=20)
    np.testing.assert_allclose(samples, roc_auc_score(labels, scores), rtol=0, atol=1e-12)


def test_equal_seeds_draw_the_same_users_so_two_models_are_compared_pairwise() -> None:
    labels, scores, users = rows_of(1, 200, 12, 50)
    one = bootstrap_auc(labels, scores, users, seed=5, resamples=50)
    # A model that orders all rows alike gets the same samples, whatever its scale.
    assert np.array_equal(one, bootstrap_auc(labels, scores * 3 + 1, users, seed=5, resamples=50))
    opposite = bootstrap_auc(labels, -scores, users, seed=5, resamples=50)
    np.testing.assert_allclose(one + opposite, 1.0, rtol=0, atol=1e-12)
    assert not np.array_equal(one, bootstrap_auc(labels, scores, users, seed=6, resamples=50))


def test_the_numbers_that_users_have_do_not_matter_to_the_bootstrap() -> None:
    labels, scores, users = rows_of(2, 80, 6, 10)
    sparse = (users * 1000 + 17).astype(np.int32)
    one = bootstrap_auc(labels, scores, users, seed=0, resamples=20)
    assert np.array_equal(one, bootstrap_auc(labels, scores, sparse, seed=0, resamples=20))


def test_the_interval_is_the_middle_of_the_samples_that_are_known() -> None:
    samples = np.append(np.linspace(0.0, 1.0, 1001), [np.nan, np.nan])
    np.testing.assert_allclose(interval(samples), (0.025, 0.975))
    assert np.isnan(interval(np.full(3, np.nan))).all()


def test_per_user_auc_weighs_the_users_with_both_labels_by_their_rows() -> None:
    users = int32(1, 1, 2, 2, 2, 2, 3, 3)
    labels = int8(0, 1, 0, 1, 1, 1, 1, 1)
    scores = np.array([0.2, 0.8, 0.5, 0.1, 0.6, 0.7, 0.3, 0.4])
    # User 1: 1.0 over 2 rows. User 2: 2 of 3 pairs over 4 rows. User 3 has no negative.
    value, count = per_user_auc(labels, scores, users)
    assert count == 2
    assert value == pytest.approx((1.0 * 2 + 2 / 3 * 4) / 6)


@given(SEEDS, st.integers(1, 10), st.integers(1, 6))
@bounded
def test_per_user_auc_is_the_weighted_mean_over_each_users_own_rows(
    seed: int, n_users: int, levels: int
) -> None:
    labels, scores, users = rows_of(seed, 70, n_users, levels)
    own = {u: users == u for u in np.unique(users).tolist()}
    both = {u: r for u, r in own.items() if labels[r].min() != labels[r].max()}
    value, count = per_user_auc(labels, scores, users)
    assert count == len(both)
    if both:
        aucs = [roc_auc_score(labels[r], scores[r]) for r in both.values()]
        assert value == pytest.approx(np.average(aucs, weights=[r.sum() for r in both.values()]))
    else:
        assert np.isnan(value)


def test_calibration_error_is_the_mean_gap_of_bins_of_equal_size() -> None:
    n = 4 * CALIBRATION_BINS
    bins = np.repeat(np.arange(CALIBRATION_BINS), 4)
    probabilities = 0.2 + 0.01 * bins + 0.001 * np.tile(np.arange(4), CALIBRATION_BINS)
    labels = np.tile(int8(0, 0, 0, 1), CALIBRATION_BINS)
    gaps = np.abs(probabilities.reshape(-1, 4).mean(axis=1) - 0.25)
    order = np.random.default_rng(0).permutation(n)
    assert calibration_error(labels[order], probabilities[order]) == pytest.approx(gaps.mean())


def test_a_perfectly_calibrated_constant_has_no_error_however_its_rows_are_ordered() -> None:
    probabilities = np.full(60, 0.5)
    assert calibration_error(np.repeat(int8(0, 1), 30), probabilities) == pytest.approx(0.0)
    assert calibration_error(np.tile(int8(0, 1), 30), probabilities) == pytest.approx(0.0)


@given(SEEDS, st.integers(1, 100), st.integers(1, 8))
@bounded
def test_no_figure_depends_on_the_order_of_the_rows(seed: int, n: int, levels: int) -> None:
    rows = rows_of(seed, n, 5, levels)
    cold = np.random.default_rng(seed).random(n) < 0.5
    order = np.random.default_rng(seed).permutation(n)
    plain = all_figures(rows, cold).to_json()
    labels, scores, users = rows
    shuffled = all_figures((labels[order], scores[order], users[order]), cold[order]).to_json()
    assert shuffled.keys() == plain.keys()
    for name, value in plain.items():
        if isinstance(value, dict):
            assert shuffled[name] == {k: _near(v) for k, v in value.items()}
        else:
            assert shuffled[name] == _near(value)


def _near(value: float | None) -> object:
    return value if value is None else pytest.approx(value, abs=1e-9)


def test_the_auc_lies_in_its_own_interval() -> None:
    rng = np.random.default_rng(0)
    labels, _, users = rows_of(0, 500, 40, 2)
    measured = all_figures((labels, np.clip(labels * 0.3 + rng.random(500) * 0.7, 0, 1), users))
    assert measured.roc_auc_low < measured.roc_auc < measured.roc_auc_high
    assert measured.rows == 500
    assert measured.positives == labels.sum()


def test_cold_rows_are_measured_apart() -> None:
    labels, scores = int8(0, 1, 0, 1), np.array([0.1, 0.9, 0.8, 0.2])
    measured = all_figures((labels, scores, int32(0, 0, 1, 1)), np.array([0, 0, 1, 1], bool))
    assert (measured.cold_users.rows, measured.cold_users.roc_auc) == (2, 0.0)
    assert measured.cold_objects.rows == 0
    assert np.isnan(measured.cold_objects.roc_auc)


@pytest.mark.parametrize("label", [0, 1])
def test_what_needs_both_labels_is_unknown_when_one_is_missing(label: int) -> None:
    rows = (np.full(9, label, np.int8), np.linspace(0, 1, 9), np.zeros(9, np.int32))
    measured = all_figures(rows)
    for value in (measured.roc_auc, measured.roc_auc_low, measured.roc_auc_high):
        assert np.isnan(value)
    assert np.isnan(measured.per_user_auc)
    assert np.isnan(measured.pr_auc) == (label == 0)
    assert np.isfinite(measured.log_loss)
    assert np.isfinite(measured.calibration_error)


def test_a_block_without_known_labels_has_no_figures_and_no_failure() -> None:
    measured = all_figures((int8(), np.zeros(0), int32()))
    assert measured.rows == 0
    assert np.isnan([measured.roc_auc, measured.pr_auc, measured.log_loss]).all()
    assert np.isnan([measured.calibration_error, measured.per_user_auc]).all()


def test_a_certain_but_wrong_probability_costs_much_and_not_infinitely_much() -> None:
    measured = all_figures((int8(0, 1), np.array([1.0, 0.0]), int32(0, 1)))
    assert 20 < measured.log_loss < 40


@pytest.mark.parametrize("n", [0, 1, 9])
def test_json_has_no_nan(n: int) -> None:
    rows = (np.zeros(n, np.int8), np.linspace(0, 1, n), np.zeros(n, np.int32))
    content = all_figures(rows).to_json()
    assert content["roc_auc"] is None
    assert content["cold_users"]["roc_auc"] is None
    assert json.loads(json.dumps(content, allow_nan=False)) == content
