"""What came of what was shown."""

from __future__ import annotations

import pytest

from core.log import Outcome
from core.policy.rewards import REWARDS, Response, ShownList, ShownSlot, rewarded

HOUR_S = 3600.0


def shown(recommendation_id: str, user_id: str = "ann", at_s: float = 1000.0) -> ShownList:
    slots = (
        ShownSlot("t1", 1, 0.9, 0.8, 5, None),
        ShownSlot("t2", 2, 0.4, 0.1, 4, 0.7),
    )
    return ShownList(recommendation_id, user_id, at_s, slots)


def rewards(*responses: tuple[str, str, Outcome, float]) -> list[float]:
    lists = [shown("r1"), shown("r2", at_s=2000.0)]
    said = [Response(*response) for response in responses]
    return [float(reward) for reward in rewarded(lists, said, HOUR_S).reward]


def test_every_outcome_but_unlike_says_something() -> None:
    assert set(REWARDS) == set(Outcome) - {Outcome.UNLIKE}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_rewards_the_item_of_the_list_that_led_to_it(outcome: Outcome) -> None:
    earned = REWARDS.get(outcome, 0.0)
    assert rewards(("r1", "t2", outcome, 1010.0)) == [0.0, earned, 0.0, 0.0]


def test_only_what_comes_within_the_window_counts() -> None:
    assert rewards(("r1", "t1", Outcome.PLAY, 1000.0 + HOUR_S)) == [1.0, 0.0, 0.0, 0.0]
    assert rewards(("r1", "t1", Outcome.PLAY, 1001.0 + HOUR_S)) == [0.0] * 4
    # The clock of the caller is behind.
    assert rewards(("r2", "t1", Outcome.PLAY, 1990.0)) == [0.0, 0.0, 1.0, 0.0]


def test_the_latest_response_decides() -> None:
    played, skipped = ("r1", "t1", Outcome.PLAY, 1010.0), ("r1", "t1", Outcome.SKIP, 1020.0)
    liked = ("r1", "t1", Outcome.LIKE, 1030.0)
    assert rewards(played, skipped)[0] == 0.0
    assert rewards(skipped, played)[0] == 0.0
    assert rewards(played, skipped, liked)[0] == 1.0
    too_late = ("r1", "t1", Outcome.DISLIKE, 1e6)
    assert rewards(played, too_late)[0] == 1.0


def test_what_belongs_to_no_shown_item_counts_for_none() -> None:
    assert rewards(("r9", "t1", Outcome.PLAY, 1.0), ("r1", "t9", Outcome.PLAY, 1.0)) == [0.0] * 4


def test_slots_carry_what_was_logged() -> None:
    slots = rewarded([shown("r1"), shown("r2", "bob"), shown("r3", ""), shown("r4", "")], [], 1.0)
    assert slots.list.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert slots.user.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert slots.slot.tolist() == [1, 2] * 4
    assert slots.propensity.tolist() == [0.8, 0.1] * 4
    assert slots.explored.tolist() == [False, True] * 4
    assert slots.best_probability.tolist() == [0.9, 0.7] * 4
    same = rewarded([shown("r1"), shown("r2")], [], 1.0)
    assert same.user.tolist() == [0, 0, 0, 0]
