"""Rewards: what users did with what they were shown, within a window after it was shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.log import Outcome
from core.policy.slots import LoggedSlots

REWARDS: Mapping[Outcome, float] = {
    Outcome.PLAY: 1.0,
    Outcome.REPLAY: 1.0,
    Outcome.LIKE: 1.0,
    Outcome.PURCHASE: 1.0,
    Outcome.BOOKING: 1.0,
    Outcome.SKIP: 0.0,
    Outcome.DISLIKE: 0.0,
}
"""Taking back an opinion says nothing of its own."""


@dataclass(frozen=True)
class ShownSlot:
    """One place of an answered list."""

    object_id: str
    slot: int
    """Place in the whole list, from 1."""
    probability: float
    propensity: float
    choices: int
    passed_over: float | None
    """Probability of the best that was left, where the place was explored."""


@dataclass(frozen=True)
class ShownList:
    """One answered page."""

    recommendation_id: str
    user_id: str
    """Empty for an anonymous request."""
    shown_at_s: float
    slots: Sequence[ShownSlot]
    """In order of their places."""


@dataclass(frozen=True)
class Response:
    """What a user did with an object of an answered list."""

    recommendation_id: str
    object_id: str
    outcome: Outcome
    at_s: float


def rewarded(
    lists: Sequence[ShownList], responses: Iterable[Response], window_s: float
) -> LoggedSlots:
    """The slots of the lists with their rewards, in the order given.

    The latest response within the window decides: 1 where the user took or liked the object, 0
    where they skipped or disliked it, and 0 where nothing came. A response that seems to come
    before its list (clocks differ) counts as coming at once.
    """
    shown_at_s = {shown.recommendation_id: shown.shown_at_s for shown in lists}
    latest: dict[tuple[str, str], tuple[float, float]] = {}
    for response in responses:
        since_s = shown_at_s.get(response.recommendation_id)
        if since_s is None or response.outcome not in REWARDS:
            continue
        after_s = max(response.at_s - since_s, 0.0)
        key = response.recommendation_id, response.object_id
        if after_s <= window_s and after_s >= latest.get(key, (0.0, 0.0))[0]:
            latest[key] = after_s, REWARDS[response.outcome]
    rows = [(i, shown, slot) for i, shown in enumerate(lists) for slot in shown.slots]
    # A list without a user shares them with no other list.
    owners: dict[str, int] = {}
    for shown in lists:
        owners.setdefault(_owner(shown), len(owners))
    return LoggedSlots(
        list=np.array([i for i, _, _ in rows], np.int64),
        user=np.array([owners[_owner(shown)] for _, shown, _ in rows], np.int64),
        slot=np.array([slot.slot for _, _, slot in rows], np.int64),
        propensity=np.array([slot.propensity for _, _, slot in rows], np.float64),
        choices=np.array([slot.choices for _, _, slot in rows], np.int64),
        explored=np.array([slot.passed_over is not None for _, _, slot in rows], bool),
        probability=np.array([slot.probability for _, _, slot in rows], np.float64),
        best_probability=np.array(
            [
                slot.probability if slot.passed_over is None else slot.passed_over
                for _, _, slot in rows
            ],
            np.float64,
        ),
        reward=np.array(
            [
                latest.get((shown.recommendation_id, slot.object_id), (0.0, 0.0))[1]
                for _, shown, slot in rows
            ],
            np.float64,
        ),
    )


def _owner(shown: ShownList) -> str:
    return f"u:{shown.user_id}" if shown.user_id else f"a:{shown.recommendation_id}"
