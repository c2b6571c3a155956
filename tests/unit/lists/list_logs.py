"""Small logs and stand-ins that tests of lists share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.lists.protocol import ListTask, Mode, Targets
from core.log import EventLog, LabelRule, TieRule, build_log
from core.testing_logs import SMALL_SCHEMA

DAY_S = 86400.0


def log_of(
    events: Sequence[tuple[str, str, float]],
    *,
    horizon_days: float = 10.0,
    outcomes: Sequence[str] | None = None,
    artists: Mapping[str, str] | None = None,
) -> EventLog:
    """A log of (user, object, day); `artists` of some objects."""
    table = pd.DataFrame(events, columns=["user_id", "object_id", "time_s"])
    table["time_s"] *= DAY_S
    if outcomes is not None:
        table["outcome"] = outcomes
    known = artists or {}
    return build_log(
        "test",
        SMALL_SCHEMA,
        table,
        users=pd.DataFrame({"user_id": []}),
        objects=pd.DataFrame({"object_id": list(known), "artist": list(known.values())}),
        label_rule=LabelRule(horizon_days * DAY_S),
        tie_rule=TieRule.TIMESTAMP,
        where="events",
    )


def targets_of(*objects: Sequence[int]) -> Targets:
    """Each user's target objects, none of them had before."""
    starts = np.cumsum([0, *(len(own) for own in objects)])
    flat = np.array([index for own in objects for index in sorted(own)], np.int32)
    return Targets(starts.astype(np.int64), flat, np.zeros(len(flat), bool))


def lists_of(*objects: Sequence[int]) -> NDArray[np.int32]:
    """Lists of equal length, the shorter ones ended by -1."""
    longest = max(len(own) for own in objects)
    return np.array([[*own, *[-1] * (longest - len(own))] for own in objects], np.int32)


@dataclass(frozen=True)
class Fixed:
    """A recommender that always answers with the same ids, in any mode that allows them."""

    name: str
    task: ListTask
    ids: Mapping[str, Sequence[str]]
    modes: Sequence[Mode] = (Mode.ALL,)

    def recommend(self, users: NDArray[np.int64], k: int, mode: Mode) -> NDArray[np.int32]:
        log = self.task.log
        lists = np.full((len(users), k), -1, np.int32)
        for place, user in enumerate(users):
            own = self.ids.get(log.users.ids[user], ()) if mode in self.modes else ()
            lists[place, : len(own)] = [log.objects.ids.index(name) for name in own]
        return lists
