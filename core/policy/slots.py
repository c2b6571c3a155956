"""Logged slots: what was shown at each place of answered lists, how likely, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidDataError


@dataclass(frozen=True)
class LoggedSlots:
    """n shown items, those of a list together and in the order of its places.

    Raises:
        InvalidDataError: columns differ in length, a propensity or a count is impossible, or the
            slots of a list lie apart.
    """

    list: NDArray[np.int64]
    """(n,) which answered list."""
    user: NDArray[np.int64]
    """(n,) whose: the unit that intervals resample. A list without a user is a user of its own."""
    slot: NDArray[np.int64]
    """(n,) place in the whole list, from 1."""
    propensity: NDArray[np.float64]
    """(n,) in (0, 1], of the item at its place, given those before it."""
    choices: NDArray[np.int64]
    """(n,) how many candidates could have come to the place."""
    explored: NDArray[np.bool_]
    """(n,) whether it was drawn in place of the best that was left."""
    probability: NDArray[np.float64]
    """(n,) what the model said of the item."""
    best_probability: NDArray[np.float64]
    """(n,) what the model said of the best that was left: the same unless explored."""
    reward: NDArray[np.float64]
    """(n,) what came of it."""

    def __post_init__(self) -> None:
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) > 1:
            raise _refused(f"columns differ in length: {lengths}", "give each slot a value of each")
        possible = (self.propensity > 0.0) & (self.propensity <= 1.0)  # NaN is neither
        if not possible.all():
            row = int(np.argmin(possible))
            raise _refused(
                f"row {row} has propensity {self.propensity[row]}, {int((~possible).sum())} of "
                f"{len(possible)} rows are not in (0, 1]",
                "leave out lists that were not logged with their propensities: nothing can be"
                " learned of a policy from what it is not known to have done",
            )
        if not (self.choices >= 1).all():
            raise _refused(
                "a slot had no choice", "count the candidates that could have come there"
            )
        if not np.isfinite(self.reward).all():
            raise _refused("a reward is not finite", "give 0 where nothing came of an item")
        new = np.diff(self.list, prepend=self.list[:1] - 1) != 0
        if int(new.sum()) != len(np.unique(self.list)):
            raise _refused("the slots of a list lie apart", "put them together, in order of slot")
        if (np.diff(self.slot)[~new[1:]] <= 0).any():
            raise _refused("the slots of a list are out of order", "sort them")

    def __len__(self) -> int:
        """How many slots."""
        return len(self.slot)

    def only(self, rows: NDArray[np.bool_]) -> LoggedSlots:
        """The slots of these rows (n,)."""
        return LoggedSlots(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def begins(self) -> NDArray[np.bool_]:
        """(n,) whether a slot is the first of its list that was logged."""
        begins: NDArray[np.bool_] = np.diff(self.list, prepend=self.list[:1] - 1) != 0
        return begins

    def whole(self) -> NDArray[np.bool_]:
        """(n,) slots of lists that were logged without gaps from their first place on."""
        begins = self.begins()
        number = np.cumsum(begins) - 1
        first = np.flatnonzero(begins)
        expected = np.arange(len(self)) - first[number] + 1
        gaps = np.bincount(number, weights=self.slot != expected)
        return np.asarray(gaps[number] == 0)


def _refused(problem: str, remedy: str) -> InvalidDataError:
    return InvalidDataError("logged slots", problem, remedy)
