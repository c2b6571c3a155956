"""What a log of lists says of the policy that made it, and of one that explores at another rate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.policy.estimators import Estimate, doubly_robust, ips, logged_value, snips
from core.policy.reward_model import expected_rewards
from core.policy.slots import LoggedSlots
from core.policy.weights import Unit, effective_size, exploring_at, weights_of

THIN = 100.0
"""Below this effective size an interval is little more than a guess."""


@dataclass(frozen=True)
class TargetValue:
    """What the target policy would have earned, with one unit of it following the target."""

    unit: Unit
    slots: int
    """Logged slots that could be used."""
    effective_size: float
    """How many slots of the target's own log would say as much."""
    mean_weight: Estimate
    """1 where the log has seen all that the target shows."""
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate | None
    """Only for the greedy target: the log does not say what any other would show."""


@dataclass(frozen=True)
class PolicyReport:
    """Values are mean rewards of a shown item."""

    lists: int
    slots: int
    users: int
    explored: float
    """Share of slots where exploration kept the best away."""
    exploration: float
    """Rate of the target policy."""
    logged: Estimate
    targets: tuple[TargetValue, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; NaN becomes None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def report_policy(
    slots: LoggedSlots, *, exploration: float, clip: float | None = None, seed: int = 0
) -> PolicyReport:
    """Estimate the value of the policy that explores at this rate, for each unit.

    Args:
        slots: as logged, with rewards in [0, 1].
        exploration: rate of the target policy, 0 to 1.
        clip: weights are cut to this; None cuts nothing.
        seed: of the bootstraps.
    """
    targets = [
        _target_value(slots, Unit.SLOT, exploration, clip, seed),
        _target_value(slots.only(slots.whole()), Unit.LIST, exploration, clip, seed),
    ]
    notes = [note for target in targets for note in _notes(target, clip)]
    pages = int((~slots.whole()).sum())
    if pages:
        notes.append(
            f"{pages} slots of later pages say nothing of whole lists: what came before them is"
            " another page"
        )
    if len(slots) and not slots.explored.any():
        notes.append("nothing was explored: the log knows only the policy that made it")
    return PolicyReport(
        lists=len(np.unique(slots.list)),
        slots=len(slots),
        users=len(np.unique(slots.user)),
        explored=float(slots.explored.mean()) if len(slots) else np.nan,
        exploration=exploration,
        logged=logged_value(slots.reward, slots.user, seed=seed),
        targets=tuple(targets),
        notes=tuple(notes),
    )


def _target_value(
    slots: LoggedSlots, unit: Unit, exploration: float, clip: float | None, seed: int
) -> TargetValue:
    target = exploring_at(exploration, slots)
    weights = weights_of(slots, target, unit, clip)
    unclipped = weights_of(slots, target, unit)
    robust = None
    if exploration == 0.0:
        shown, best = expected_rewards(slots)
        robust = doubly_robust(
            weights,
            slots.reward,
            slots.user,
            expected_shown=shown,
            expected_target=best,
            before=_before(slots, weights) if unit is Unit.LIST else None,
            seed=seed,
        )
    return TargetValue(
        unit=unit,
        slots=len(slots),
        effective_size=effective_size(weights),
        mean_weight=logged_value(unclipped, slots.user, seed=seed),
        ips=ips(weights, slots.reward, slots.user, seed=seed),
        snips=snips(weights, slots.reward, slots.user, seed=seed),
        doubly_robust=robust,
    )


def _before(slots: LoggedSlots, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the weight of the place before in the same list, 1 at its beginning."""
    return np.where(slots.begins(), 1.0, np.roll(weights, 1))


def _notes(target: TargetValue, clip: float | None) -> list[str]:
    notes = []
    if target.effective_size < THIN:
        notes.append(
            f"{target.unit}: the overlap is too thin, all weights together say as much as"
            f" {target.effective_size:.0f} slots: explore more or wait for more feedback"
        )
    weight = target.mean_weight
    if target.slots and not weight.low <= 1.0 <= weight.high:
        notes.append(
            f"{target.unit}: the mean weight is {weight.value:.3f} and should be 1: the log has not"
            " seen all that the target shows"
        )
    if clip is not None:
        notes.append(f"{target.unit}: weights are cut to {clip:g}, which biases the estimates")
    return notes


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and np.isnan(value) else value
