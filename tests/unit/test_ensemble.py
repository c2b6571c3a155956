"""The stack and the ensemble: weights, profiles, members that fail, saving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.ensemble import SUNK_LOGIT, Ensemble, Profile, fit_members, fit_stacks
from core.errors import BundleError, NotEnoughDataError
from core.models import RECIPES, TRAINERS, Compute, Examples, NetTrainer, Trainers
from core.stack import LEAST_SHARE, Stack, fit_list_stack, fit_stack
from core.state.columns import FeatureBatch
from core.testing import number, random_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns()


@dataclass(frozen=True)
class Echo:
    """A member whose logit is one number column."""

    name: str
    column: int
    broken_row: int | None = None

    def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
        logits = np.nan_to_num(batch.numbers[:, self.column].astype(np.float64))
        if self.broken_row is not None:
            logits[self.broken_row] = np.nan
        return logits

    def save(self, directory: Path) -> None:
        raise NotImplementedError

    def iterations(self) -> int:
        return 1


MEMBERS = {"jenn": Echo("jenn", 0), "felu": Echo("felu", 1), "lightgbm": Echo("lightgbm", 2)}
STACKS = {
    Profile.FULL: Stack(("jenn", "felu", "lightgbm"), (1.0, 0.5, 0.25), -0.5),
    Profile.LIGHT: Stack(("felu", "lightgbm"), (1.0, 2.0), 0.0),
}


def drawn(
    weights: list[float], intercept: float, n_rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n_rows, len(weights)))
    chance = 1 / (1 + np.exp(-(logits @ np.array(weights) + intercept)))
    return logits, (rng.random(n_rows) < chance).astype(np.float32)


def test_the_stack_recovers_known_weights() -> None:
    logits, labels = drawn([1.2, 0.3, 0.7], -0.8, n_rows=40_000)
    stack = fit_stack(["a", "b", "c"], logits, labels)
    np.testing.assert_allclose(stack.coefficients, [1.2, 0.3, 0.7], atol=0.06)
    assert stack.intercept == pytest.approx(-0.8, abs=0.06)


def test_no_member_votes_against_itself() -> None:
    logits, labels = drawn([1.0, -0.7], 0.0, n_rows=5000)
    stack = fit_stack(["a", "b"], logits, labels)
    assert stack.coefficients[1] == pytest.approx(LEAST_SHARE / 2, rel=0.1)
    assert stack.coefficients[0] > 0.5


def test_some_hundred_rows_hardly_move_the_stack_from_equal_shares() -> None:
    rng = np.random.default_rng(0)
    agreed = rng.normal(size=(300, 1))
    logits = agreed + 0.3 * rng.normal(size=(300, 2))
    labels = (rng.random(300) < 1 / (1 + np.exp(-logits[:, 0]))).astype(np.float32)
    shares = np.array(fit_stack(["a", "b"], logits, labels).coefficients)
    np.testing.assert_allclose(shares / shares.sum(), [0.5, 0.5], atol=0.1)


def test_members_share_alike_however_loud_they_are() -> None:
    logits, labels = drawn([1.0, 1.0], 0.0, n_rows=200)
    even, loud = (
        np.array(fit_stack(["a", "b"], logits * loudness + bias, labels).coefficients) * loudness
        for loudness, bias in (([1.0, 1.0], 0.0), ([1.0, 4.0], 7.0))
    )
    np.testing.assert_allclose(loud / loud.sum(), even / even.sum(), atol=0.02)


def test_a_member_that_says_the_same_of_every_row_changes_no_order() -> None:
    logits, labels = drawn([1.0, 0.0], 0.0, n_rows=500)
    logits[:, 1] = 3.0
    stack = fit_stack(["a", "b"], logits, labels)
    assert stack.coefficients[0] > 0.0
    assert abs(float(np.mean(1 / (1 + np.exp(-stack.predict(logits))) - labels))) < 1e-4


def of_lists(
    n_lists: int = 300, size: int = 40
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.intp]]:
    """Two members' logits, labels and lists: one member knows the order within a list, the other
    only how much its user takes at all."""
    rng = np.random.default_rng(0)
    order = rng.normal(size=(n_lists, size))
    taste = np.repeat(rng.normal(size=(n_lists, 1)), size, axis=1)
    chance = 1 / (1 + np.exp(-(order + 3.0 * taste - 3.0)))
    labels = (rng.random(chance.shape) < chance).astype(np.float32)
    noisy = taste + 0.5 * rng.normal(size=taste.shape)
    logits = np.stack([order.ravel(), noisy.ravel()], axis=1)
    return logits, labels.ravel(), np.repeat(np.arange(n_lists, dtype=np.intp), size)


def test_for_lists_the_member_that_orders_them_counts_and_probabilities_still_mean_one() -> None:
    logits, labels, lists = of_lists()
    by_likelihood = fit_stack(["order", "taste"], logits, labels).coefficients
    assert by_likelihood[1] > by_likelihood[0]
    stack = fit_list_stack(["order", "taste"], logits, labels, lists)
    assert stack.coefficients[0] > stack.coefficients[1] >= 0.0
    chance = 1 / (1 + np.exp(-stack.predict(logits)))
    likely = chance > np.median(chance)
    for half in (likely, ~likely):
        assert chance[half].mean() == pytest.approx(labels[half].mean(), abs=0.03)


def test_members_share_lists_alike_however_loud_they_are() -> None:
    logits, labels, lists = of_lists()
    even, loud = (
        np.array(fit_list_stack(["a", "b"], logits * loudness, labels, lists).coefficients)
        * loudness
        for loudness in ([1.0, 1.0], [1.0, 4.0])
    )
    np.testing.assert_allclose(loud / loud.sum(), even / even.sum(), atol=1e-6)


def test_members_that_order_lists_alike_share_them_alike() -> None:
    logits, labels, lists = of_lists()
    stack = fit_list_stack(["a", "b"], logits[:, [0, 0]], labels, lists)
    assert stack.coefficients[0] == pytest.approx(stack.coefficients[1])


def test_lists_from_which_nothing_was_taken_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="got 0 positive among 40 rows"):
        fit_list_stack(["a"], np.zeros((40, 1)), np.zeros(40, np.float32), np.repeat([0, 1], 20))


@pytest.mark.parametrize("positives", [0, 9, 91, 100])
def test_a_stack_block_without_both_labels_is_refused(positives: int) -> None:
    labels = np.zeros(100, np.float32)
    labels[:positives] = 1
    with pytest.raises(NotEnoughDataError, match=f"got {positives} positive among 100 rows"):
        fit_stack(["a"], np.zeros((100, 1)), labels)


def test_the_stack_refuses_logits_that_are_not_finite() -> None:
    labels = np.tile(np.array([0, 1], np.float32), 50)
    with pytest.raises(ValueError, match="finite"):
        fit_stack(["a"], np.full((100, 1), np.nan), labels)


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=4),
    st.floats(-5, 5),
)
def test_a_stack_survives_json(coefficients: list[float], intercept: float) -> None:
    names = tuple(f"m{i}" for i in range(len(coefficients)))
    stack = Stack(names, tuple(coefficients), intercept)
    assert Stack.from_json(stack.to_json()) == stack


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"members": ["a"], "coefficients": [], "intercept": 0.0},
        {"members": ["a"], "coefficients": ["x"], "intercept": 0.0},
        {"members": ["a"], "coefficients": [float("nan")], "intercept": 0.0},
    ],
)
def test_what_is_no_stack_is_refused(content: Mapping[str, object]) -> None:
    with pytest.raises(BundleError, match="not a stack"):
        Stack.from_json(content)


def test_each_profile_answers_with_its_own_members_and_stack() -> None:
    batch = random_batch(COLUMNS, 20, seed=0)
    ensemble = Ensemble(MEMBERS, STACKS)
    light = ensemble.predict(batch, Profile.LIGHT)
    x = np.nan_to_num(batch.numbers.astype(np.float64))
    np.testing.assert_allclose(light.probabilities, 1 / (1 + np.exp(-x[:, 1] - 2 * x[:, 2])))
    assert list(light.member_logits) == ["felu", "lightgbm"]
    assert list(ensemble.predict(batch).member_logits) == ["jenn", "felu", "lightgbm"]
    assert not light.non_finite


def test_a_row_that_a_member_cannot_score_sinks_and_is_counted() -> None:
    members = MEMBERS | {"felu": Echo("felu", 1, broken_row=3)}
    batch = random_batch(COLUMNS, 20, seed=0)
    answer = Ensemble(members, STACKS).predict(batch)
    assert answer.non_finite == {"felu": 1}
    assert int(np.argmin(answer.probabilities)) == 3
    assert answer.member_logits["felu"][3] == SUNK_LOGIT
    assert np.isfinite(answer.probabilities).all()
    sound = Ensemble(MEMBERS, STACKS).predict(batch)
    others = np.arange(20) != 3
    np.testing.assert_array_equal(answer.probabilities[others], sound.probabilities[others])


def test_a_member_that_answers_another_length_is_refused() -> None:
    class Short(Echo):
        def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
            return super().predict(batch)[1:]

    broken = Ensemble(MEMBERS | {"felu": Short("felu", 1)}, STACKS)
    with pytest.raises(ValueError, match="felu must answer 5 logits"):
        broken.predict(random_batch(COLUMNS, 5, seed=0))


def test_a_stack_without_its_members_is_refused() -> None:
    with pytest.raises(ValueError, match="jenn"):
        Ensemble({k: v for k, v in MEMBERS.items() if k != "jenn"}, STACKS)


def test_a_profile_without_a_stack_cannot_be_asked() -> None:
    with pytest.raises(KeyError, match="no stack for profile full"):
        Ensemble(MEMBERS, {Profile.LIGHT: STACKS[Profile.LIGHT]}).predict(
            random_batch(COLUMNS, 5, seed=0)
        )


def test_only_profiles_whose_members_are_there_get_a_stack() -> None:
    batch = random_batch(COLUMNS, 300, seed=0)
    examples = with_labels(batch, number(batch, "user_1"), seed=0)
    members = {**MEMBERS, "symmetric": Echo("symmetric", 3)}
    light = {"symmetric": members["symmetric"]}
    assert list(fit_stacks(light, examples)) == [Profile.LIGHT]
    assert list(fit_stacks(members, examples)) == [Profile.FULL, Profile.LIGHT]


def test_members_that_rank_lists_are_not_all_that_judge_events() -> None:
    batch = random_batch(COLUMNS, 300, seed=0)
    events = with_labels(batch, number(batch, "user_1"), seed=0)
    lists = replace(events, lists=np.repeat(np.arange(15), 20))
    members = {**MEMBERS, "symmetric": Echo("symmetric", 3)}
    for examples, full, light in (
        (events, ("jenn", "felu", "lightgbm", "symmetric"), ("symmetric",)),
        (lists, ("jenn", "felu", "lightgbm"), ("felu", "lightgbm")),
    ):
        stacks = fit_stacks(members, examples)
        assert stacks[Profile.FULL].member_names == full
        assert stacks[Profile.LIGHT].member_names == light


def tiny_trainers() -> Trainers:
    trainers = dict(RECIPES["quick"](Compute(threads=1)))
    for name, trainer in trainers.items():
        if isinstance(trainer, NetTrainer):
            settings = replace(trainer.settings, width=8, embedding=4, object_cache=64)
            trainers[name] = replace(trainer, settings=settings)
    return trainers


def examples(n_rows: int, seed: int) -> Examples:
    batch = random_batch(COLUMNS, n_rows, seed)
    return with_labels(batch, 2.0 * number(batch, "user_0"), seed)


def test_an_ensemble_is_fitted_saved_and_loaded_whole(tmp_path: Path) -> None:
    trainers = tiny_trainers()
    members = fit_members(examples(500, 1), examples(200, 2), seed=0, trainers=trainers)
    ensemble = Ensemble(members, fit_stacks(members, examples(200, 3)))
    ensemble.save(tmp_path)
    loaded = Ensemble.load(tmp_path, COLUMNS, TRAINERS)
    batch = random_batch(COLUMNS, 30, seed=4)
    for profile in Profile:
        before, after = ensemble.predict(batch, profile), loaded.predict(batch, profile)
        np.testing.assert_array_equal(after.probabilities, before.probabilities)
    assert loaded.stacks == ensemble.stacks

    chosen = {name: member.iterations() for name, member in members.items()}
    refit = fit_members(examples(500, 1), None, iterations=chosen, seed=0, trainers=trainers)
    for name, member in refit.items():
        np.testing.assert_array_equal(member.predict(batch), members[name].predict(batch))

    (tmp_path / "stack.json").write_text("{}")
    with pytest.raises(BundleError, match=r"stack\.json is damaged"):
        Ensemble.load(tmp_path, COLUMNS, TRAINERS)
