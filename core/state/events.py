"""Events as the state takes them: one at a time live, or a whole log in its own indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.log import EventLog, Outcome
from core.schema import Schema
from core.state.names import Names
from core.state.replaying import LogArrays
from core.state.writing import DISLIKE, INTERACTION, LIKE, SKIP, UNLIKE

T = TypeVar("T", bound=np.generic)

KINDS: Mapping[Outcome, int] = {
    Outcome.PLAY: INTERACTION,
    Outcome.REPLAY: INTERACTION,
    Outcome.PURCHASE: INTERACTION,
    Outcome.BOOKING: INTERACTION,
    Outcome.LIKE: LIKE,
    Outcome.DISLIKE: DISLIKE,
    Outcome.UNLIKE: UNLIKE,
    Outcome.SKIP: SKIP,
}
"""What the kernels tell apart."""


@dataclass(frozen=True)
class Event:
    """One event to write into the state."""

    user_id: str
    object_id: str
    outcome: Outcome
    time_s: float
    context: Mapping[str, str] = field(default_factory=dict)
    user_time_s: float | None = None
    """On the user's own clock, where the log keeps one; None is `time_s`."""


def log_arrays(log: EventLog, schema: Schema, names: Names, first_group: int) -> LogArrays:
    """A log in indices; its context values become known, its users and objects are known.

    Args:
        log: the events.
        schema: of the log's domain.
        names: what the indices stand for.
        first_group: the number of the log's first tie group.
    """
    users = np.array([names.users.get(i) for i in log.users.ids], np.int32)
    objects = np.array([names.objects.get(i) for i in log.objects.ids], np.int32)
    context = np.zeros((len(log), len(schema.context)), np.int32)
    for i, f in enumerate(schema.context):
        context[:, i] = names.add_values(f.name, log.context[f.name])
    outcome, outcomes = pd.factorize(pd.Series(log.outcome, dtype=object))
    kinds = np.array([KINDS[Outcome(str(o))] for o in outcomes], np.int8)
    return LogArrays(
        user=users[log.user_index],
        object=objects[log.object_index],
        context=context,
        time=_writable(log.time_s),
        user_time=_writable(log.user_time_s),
        tie_group=log.tie_group - log.tie_group[:1] + first_group,
        kind=kinds[outcome],
        label=_writable(log.labels),
        matures_at=_writable(log.matures_at_s),
    )


def _writable(array: NDArray[T]) -> NDArray[T]:
    """The array, copied if it must not be written: kernels would be compiled twice, for both."""
    return np.require(array, requirements=["C", "W"])
