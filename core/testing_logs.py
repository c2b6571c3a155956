"""Random logs over a small schema that has one of everything: what tests of the state share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.content import ContentVectors, unit_vectors
from core.log import EventLog, LabelRule, Outcome, TieRule, build_log
from core.schema import Field, Kind, Schema
from core.state.events import KINDS, Event
from core.state.state import State
from core.state.writing import INTERACTION

SMALL_SCHEMA = Schema(
    user=(
        Field("city", Kind.CATEGORY, "where they live"),
        Field("age", Kind.NUMBER, "years"),
        Field("joined_at", Kind.TIMESTAMP, "moment of registration"),
    ),
    object=(
        Field("language", Kind.CATEGORY, "of no facet"),
        Field("artist", Kind.CATEGORY, "main facet", facet=True),
        Field("genres", Kind.CATEGORY_SET, "facet of two values", facet=True, max_values=2),
        Field("length", Kind.NUMBER, "seconds"),
        Field("released_at", Kind.TIMESTAMP, "moment of release"),
    ),
    context=(
        Field("surface", Kind.CATEGORY, "where it was offered"),
        Field("device", Kind.CATEGORY, "on what it was played"),
    ),
    main_facet="artist",
    pools=("free",),
    half_lives_s=(3600.0, 86400.0),
    outcome_half_life_s=7200.0,
)
"""Two facets, one of them a set; two context fields, numbers, timestamps, a pool."""

HORIZON_S = 3000.0
"""Labels of random logs mature after this."""

_REACTIONS = (Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE, Outcome.SKIP)
_OUTCOMES = tuple(o.value for o in (Outcome.PLAY, Outcome.REPLAY, *_REACTIONS))


@dataclass(frozen=True)
class LogTables:
    """The tables of one log over `SMALL_SCHEMA`, before they are put into canonical form.

    Attributes:
        events: sorted by time; `is_example` marks the first interaction of each pair.
        users, objects: some ids of the events are missing here, some here have no event.
        pools: pool name -> object ids.
        tie_rule: what shares a moment.
    """

    events: pd.DataFrame
    users: pd.DataFrame
    objects: pd.DataFrame
    pools: Mapping[str, frozenset[str]]
    tie_rule: TieRule

    def log(self, rows: slice | NDArray[np.intp] | None = None) -> EventLog:
        """The canonical log of the chosen events, all by default."""
        return build_log(
            "test",
            SMALL_SCHEMA,
            self.events if rows is None else self.events.iloc[rows].reset_index(drop=True),
            users=self.users,
            objects=self.objects,
            label_rule=LabelRule(HORIZON_S),
            tie_rule=self.tie_rule,
            where="events",
            pools=self.pools,
        )


def random_tables(
    seed: int,
    n_events: int = 120,
    n_users: int = 6,
    n_objects: int = 10,
    *,
    tie_rule: TieRule = TieRule.TIMESTAMP,
    given_labels: bool = False,
    own_clock: bool = False,
    reactions: float = 0.25,
    span_s: int = 20_000,
) -> LogTables:
    """Tables of a log with ties, reactions, missing attributes and unknown context.

    Args:
        seed: same seed, same tables.
        n_events: rows.
        n_users: ids in use; the first has no row in the table.
        n_objects: ids in use; the first has no row in the table.
        tie_rule: what shares a moment.
        given_labels: whether a random label column comes with the events.
        own_clock: whether users have clocks of their own.
        reactions: share of likes, dislikes, unlikes and skips among the events.
        span_s: whole seconds from the first event to the last, at most; half of the moments are
            multiples of 100, so that ties and returns at the very end of the horizon occur.
    """
    rng = np.random.default_rng(seed)
    time = rng.integers(0, span_s, n_events)
    time = np.sort(np.where(rng.random(n_events) < 0.5, time // 100 * 100, time))
    user = rng.integers(0, n_users, n_events)
    obj = np.minimum(rng.geometric(0.25, n_events) - 1, n_objects - 1)
    weights = [(1 - reactions) / 2] * 2 + [reactions / len(_REACTIONS)] * len(_REACTIONS)
    outcome = rng.choice(_OUTCOMES, n_events, p=weights)
    events = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in user],
            "object_id": [f"o{i}" for i in obj],
            "time_s": 1.6e9 + time,
            "outcome": outcome,
            "surface": rng.choice(["home", "search", "story", ""], n_events),
            "device": rng.choice(["phone", "desk", ""], n_events),
        }
    )
    taken = np.array([KINDS[Outcome(o)] == INTERACTION for o in outcome])
    first = np.zeros(n_events, bool)
    first[events[taken].drop_duplicates(["user_id", "object_id"]).index] = True
    events["is_example"] = first
    if given_labels:
        events["label"] = rng.integers(0, 2, n_events)
    if own_clock:
        events["user_time_s"] = events.groupby("user_id").cumcount() * 1000.0
    return LogTables(events, *_entities(rng, n_users, n_objects), tie_rule)


def _entities(
    rng: np.random.Generator, n_users: int, n_objects: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, frozenset[str]]]:
    """Tables of users and objects without the first of each, with two that nobody meets."""
    u, o = n_users + 1, n_objects + 1

    def numbers(low: float, high: float, n: int) -> NDArray[np.float64]:
        """(n,) whole numbers in [low, high), 30 % of them absent."""
        return np.where(rng.random(n) < 0.3, np.nan, rng.integers(int(low), int(high), n))

    users = pd.DataFrame(
        {
            "user_id": [f"u{i + 1}" for i in rng.permutation(u)],
            "city": rng.choice(["", "ulm", "rome", "oslo"], u),
            "age": numbers(10, 80, u),
            "joined_at": numbers(1.6e9 - 9000, 1.6e9 + 3000, u),
        }
    )
    genres = ["", "rock", "pop", "rock|pop", "jazz|rock", "pop|jazz|rock", "folk|folk", "|jazz"]
    objects = pd.DataFrame(
        {
            "object_id": [f"o{i + 1}" for i in rng.permutation(o)],
            "language": rng.choice(["", "en", "de"], o),
            "artist": rng.choice(["", "abba", "bach", "cher"], o),
            "genres": rng.choice(genres, o),
            "length": numbers(60, 400, o),
            "released_at": numbers(1.6e9 - 9000, 1.6e9 + 3000, o),
        }
    )
    return users, objects, {"free": frozenset(rng.choice(objects["object_id"], o // 2))}


def event_of(log: EventLog, row: int) -> Event:
    """One row of a log as a live event."""
    return Event(
        log.users.ids[log.user_index[row]],
        log.objects.ids[log.object_index[row]],
        Outcome(str(log.outcome[row])),
        float(log.time_s[row]),
        context_of(log, row),
        float(log.user_time_s[row]),
    )


def context_of(log: EventLog, row: int) -> dict[str, str]:
    """The context of one row of a log as a request says it."""
    return {name: str(values[row]) for name, values in log.context.items()}


def new_state(
    tie_rule: TieRule = TieRule.TIMESTAMP, content: ContentVectors | None = None
) -> State:
    """An empty state over `SMALL_SCHEMA`, in the space of the content that it will be given."""
    schema = SMALL_SCHEMA.with_content(None if content is None else content.space)
    return State(schema, HORIZON_S, tie_rule)


UNHEARD_OF = "known by its content alone"


def random_content(
    seed: int, object_ids: Sequence[str], name: str = "sound", size: int = 3
) -> ContentVectors:
    """Vectors of four fifths of the objects, and of `UNHEARD_OF`, which is in no log."""
    rng = np.random.default_rng(seed)
    ids = [*(i for i in object_ids if rng.random() < 0.8), UNHEARD_OF]
    return unit_vectors(name, ids, rng.standard_normal((len(ids), size)))


__all__ = [
    "HORIZON_S",
    "SMALL_SCHEMA",
    "UNHEARD_OF",
    "LogTables",
    "context_of",
    "event_of",
    "new_state",
    "random_content",
    "random_tables",
]


def plant_tastes(state: State, seed: int) -> None:
    """Vectors as of a fit to people with strong tastes, which random logs do not have."""
    totals, objects = state.arrays.totals, state.arrays.objects
    objects.vector[1:] = np.random.default_rng(seed).normal(0.0, 0.4, objects.vector[1:].shape)
    totals.taste_basis[:] = np.eye(len(totals.taste_information))
    totals.taste_information[:] = 0.1
