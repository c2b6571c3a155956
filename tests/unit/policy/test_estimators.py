"""Estimates of a policy from another's log: right on average, and as sure as they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.errors import InvalidDataError
from core.policy.estimators import Estimate, doubly_robust, ips, logged_value, snips
from core.policy.report import report_policy
from core.policy.reward_model import expected_rewards
from core.policy.slots import LoggedSlots
from core.policy.weights import Unit, effective_size, exploring_at, weights_of
from tests.unit.policy.conftest import World, made_up_world

SlotsOf = Callable[..., LoggedSlots]
WORLDS = 120
RESAMPLES = 300


@pytest.mark.parametrize("unit", list(Unit))
def test_the_truth_lies_in_about_95_of_100_intervals(unit: Unit) -> None:
    """Over made-up worlds, for every estimator: with a wrong reward model too."""
    hits = dict.fromkeys(("ips", "snips", "fitted", "wrong"), 0)
    off = dict.fromkeys(hits, 0.0)
    for seed in range(WORLDS):
        world = made_up_world(seed, users=150)
        slots, truth = world.slots, world.greedy_lists
        if unit is Unit.SLOT:
            truth = world.greedy_slots
        weights = weights_of(slots, exploring_at(0.0, slots), unit)
        before = np.where(slots.begins(), 1.0, np.roll(weights, 1))
        shown, best = expected_rewards(slots)
        rest = (weights, slots.reward, slots.user)
        asked = {"seed": seed, "resamples": RESAMPLES}
        found = {
            "ips": ips(*rest, **asked),  # type: ignore[arg-type]
            "snips": snips(*rest, **asked),  # type: ignore[arg-type]
            "fitted": doubly_robust(
                *rest,
                expected_shown=shown,
                expected_target=best,
                before=before if unit is Unit.LIST else None,
                **asked,  # type: ignore[arg-type]
            ),
            "wrong": doubly_robust(
                *rest,
                expected_shown=slots.probability**2,
                expected_target=slots.best_probability**2,
                before=before if unit is Unit.LIST else None,
                **asked,  # type: ignore[arg-type]
            ),
        }
        for name, estimate in found.items():
            hits[name] += estimate.low <= truth <= estimate.high
            off[name] += (estimate.value - truth) / WORLDS
    # 95 % of 120 is 114; four standard deviations of luck are 10.
    assert all(104 <= hit <= WORLDS for hit in hits.values()), hits
    assert all(abs(error) < 0.01 for error in off.values()), off


def test_the_log_of_a_policy_says_of_itself_what_it_earned(world: World) -> None:
    slots = world.slots
    for unit in Unit:
        weights = weights_of(slots, slots.propensity, unit)
        assert weights == pytest.approx(1.0)
        assert effective_size(weights) == pytest.approx(len(slots))
        earned = logged_value(slots.reward, slots.user, seed=3)
        assert ips(weights, slots.reward, slots.user, seed=3).value == pytest.approx(earned.value)
        assert snips(weights, slots.reward, slots.user, seed=3).low == pytest.approx(earned.low)


def test_the_rate_of_the_log_gives_its_own_propensities_back(world: World) -> None:
    assert exploring_at(0.3, world.slots) == pytest.approx(world.slots.propensity)


def test_a_true_reward_model_leaves_little_doubt(world: World) -> None:
    slots = world.slots
    weights = weights_of(slots, exploring_at(0.0, slots), Unit.SLOT)
    plain = ips(weights, slots.reward, slots.user, seed=0)
    robust = doubly_robust(
        weights,
        slots.reward,
        slots.user,
        expected_shown=world.expected,
        expected_target=world.expected_best,
        seed=0,
    )
    assert robust.high - robust.low < plain.high - plain.low


def test_weights_of_a_place_and_of_a_list(slots_of: SlotsOf) -> None:
    slots = slots_of(
        4,
        list=[0, 0, 0, 1],
        slot=[1, 2, 3, 1],
        propensity=[0.5, 0.25, 0.5, 0.8],
        choices=[4, 3, 2, 5],
        explored=[False, False, True, False],
    )
    target = exploring_at(0.0, slots)
    assert target.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert weights_of(slots, target, Unit.SLOT).tolist() == [2.0, 4.0, 0.0, 1.25]
    assert weights_of(slots, target, Unit.LIST).tolist() == [2.0, 8.0, 0.0, 1.25]
    assert weights_of(slots, target, Unit.LIST, clip=3.0).tolist() == [2.0, 3.0, 0.0, 1.25]
    assert effective_size(np.array([1.0, 1.0, 0.0, 0.0])) == 2.0
    assert effective_size(np.zeros(3)) == 0.0


def test_estimates_by_hand(slots_of: SlotsOf) -> None:
    slots = slots_of(2, propensity=[0.5, 0.5], explored=[False, True], reward=[1.0, 1.0])
    weights = weights_of(slots, exploring_at(0.0, slots), Unit.SLOT)
    assert ips(weights, slots.reward, slots.user, seed=0).value == 1.0
    assert snips(weights, slots.reward, slots.user, seed=0).value == 1.0
    robust = doubly_robust(
        weights,
        slots.reward,
        slots.user,
        expected_shown=np.array([0.5, 0.25]),
        expected_target=np.array([0.5, 0.75]),
        seed=0,
    )
    # 0.5 + 2 * (1 - 0.5) at the first place, 0.75 + 0 at the second.
    assert robust.value == pytest.approx((1.5 + 0.75) / 2)


def test_users_are_resampled_whole(slots_of: SlotsOf) -> None:
    one = slots_of(4, reward=[1.0, 0.0, 1.0, 0.0])
    assert logged_value(one.reward, one.user, seed=0) == Estimate(0.5, 0.5, 0.5)
    two = slots_of(4, list=[0, 0, 1, 1], slot=[1, 2, 1, 2], user=[0, 0, 1, 1], reward=[1, 1, 0, 0])
    assert logged_value(two.reward, two.user, seed=0) == Estimate(0.5, 0.0, 1.0)


def test_nothing_logged_says_nothing(slots_of: SlotsOf) -> None:
    nothing = slots_of(0)
    assert np.isnan(logged_value(nothing.reward, nothing.user, seed=0).value)
    assert report_policy(nothing, exploration=0.0).to_json()["logged"]["value"] is None


@pytest.mark.parametrize("wrong", [0.0, np.nan, -0.1, 1.1, np.inf])
def test_rows_without_a_possible_propensity_are_refused(slots_of: SlotsOf, wrong: float) -> None:
    with pytest.raises(InvalidDataError, match=r"row 1 has propensity .*, 1 of 2 rows"):
        slots_of(2, propensity=[0.5, wrong])


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"reward": np.zeros(3)}, "differ in length"),
        ({"choices": np.zeros(2, int)}, "no choice"),
        ({"reward": np.array([np.nan, 0.0])}, "not finite"),
        ({"slot": np.array([2, 1])}, "out of order"),
    ],
)
def test_what_cannot_have_been_logged_is_refused(
    slots_of: SlotsOf, columns: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidDataError, match=problem):
        slots_of(2, **columns)


def test_slots_of_a_list_that_lie_apart_are_refused(slots_of: SlotsOf) -> None:
    with pytest.raises(InvalidDataError, match="lie apart"):
        slots_of(3, list=[0, 1, 0], slot=[1, 1, 2])


def test_only_lists_from_their_first_place_on_are_whole(slots_of: SlotsOf) -> None:
    slots = slots_of(6, list=[0, 0, 1, 1, 2, 2], slot=[1, 2, 11, 12, 1, 3])
    assert slots.whole().tolist() == [True, True, False, False, False, False]


def test_the_report_says_when_it_knows_too_little(slots_of: SlotsOf) -> None:
    certain = report_policy(slots_of(200, user=np.arange(200)), exploration=0.0)
    assert "nothing was explored" in certain.notes[0]
    exploring = report_policy(
        slots_of(200, user=np.arange(200), choices=np.full(200, 5)), exploration=0.5
    )
    assert any("has not seen all that the target shows" in note for note in exploring.notes)
    assert exploring.targets[0].doubly_robust is None
    few = report_policy(made_up_world(1, users=10).slots, exploration=0.0, clip=5.0)
    assert any("overlap is too thin" in note for note in few.notes)
    assert any("weights are cut to 5" in note for note in few.notes)
    many = report_policy(made_up_world(1, users=400).slots, exploration=0.0)
    assert many.notes == ()


def test_the_same_seed_gives_the_same_report(world: World) -> None:
    assert report_policy(world.slots, exploration=0.0, seed=5) == report_policy(
        world.slots, exploration=0.0, seed=5
    )
