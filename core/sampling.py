"""A small simulated sample for domains without a world of their own: a generic log with taste.

Not a model of anything: enough structure that training, serving and feedback have something to
learn (users with latent taste, objects of its clusters, baskets, habits), and no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import FieldViolation, InvalidRequestError
from core.schema import Field, Kind, Schema
from core.staging import staged_directory

DAY_S = 86400.0
START_S = 1704067200.0
"""2024-01-01 UTC, unless the caller says otherwise."""
_TASTES = 8
_PROGRESS_STEP = 1000
_DRAWN = 0.9
"""Share of the work that is done when all events are drawn."""


@dataclass(frozen=True)
class Sample:
    """What differs between the samples of domains."""

    domain: str
    schema: Schema
    outcome: str
    """What every event says."""
    events_per_user: int
    """Mean length of a history."""
    objects_per_event: float
    """Size of the catalogue against the number of events."""
    days: float
    """Length of the log."""
    basket_size: int
    """Most events of a user at one moment."""
    repeat_share: float
    """Share of events that go back to an object of the user's past."""

    def simulator(
        self,
        out: Path,
        *,
        events: int,
        seed: int,
        start_s: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Write `events.csv`, `objects.csv`, `users.csv` and `pools.json`; all or none.

        Raises:
            InvalidDataError: `out` holds files already.
            InvalidRequestError: too few events, or a negative seed.
        """
        _check(events, seed)
        start_s = START_S if start_s is None else start_s
        generator = np.random.default_rng([seed, *self.domain.encode()])
        n_users = max(events // self.events_per_user, 4)
        n_objects = max(int(events * self.objects_per_event), 20)
        object_taste = generator.integers(_TASTES, size=n_objects)
        user_taste = generator.dirichlet(np.full(_TASTES, 0.3), size=n_users)
        frame = self._events(generator, events, user_taste, object_taste, start_s, progress)
        tables = {
            "events.csv": frame,
            "users.csv": self._entities(
                generator, "user", self.schema.user, user_taste.argmax(axis=1), start_s
            ),
            "objects.csv": self._entities(
                generator, "object", self.schema.object, object_taste, start_s
            ),
        }
        pools = {
            pool: [f"o{i}" for i in np.flatnonzero(generator.random(n_objects) < 0.1)]
            for pool in self.schema.pools
        }
        _write(out, tables, pools)
        if progress is not None:
            progress(1.0)

    def _events(
        self,
        generator: np.random.Generator,
        events: int,
        user_taste: NDArray[np.float64],
        object_taste: NDArray[np.int64],
        start_s: float,
        progress: Callable[[float], None] | None,
    ) -> pd.DataFrame:
        popularity = generator.pareto(1.5, size=len(object_taste)) + 1.0
        of_taste = [np.flatnonzero(object_taste == t) for t in range(_TASTES)]
        chance = [popularity[o] / popularity[o].sum() if len(o) else None for o in of_taste]
        moments = np.sort(generator.uniform(0.0, self.days * DAY_S, size=events)).round()
        loyalty = generator.uniform(0.5, 1.5, size=len(user_taste)) * self.repeat_share
        past: list[list[int]] = [[] for _ in user_taste]
        users: list[str] = []
        objects: list[str] = []
        times: list[int] = []
        while len(users) < events:
            moment = moments[len(users)]
            user = int(generator.integers(len(user_taste)))
            for _ in range(min(int(generator.integers(1, self.basket_size + 1)), events)):
                if past[user] and generator.random() < loyalty[user]:
                    obj = past[user][int(generator.integers(len(past[user])))]
                else:
                    taste = int(generator.choice(_TASTES, p=user_taste[user]))
                    if not len(of_taste[taste]):
                        continue
                    obj = int(generator.choice(of_taste[taste], p=chance[taste]))
                if len(users) == events:
                    break
                past[user].append(obj)
                users.append(f"u{user}")
                objects.append(f"o{obj}")
                times.append(int(start_s + moment))
            if progress is not None and len(users) % _PROGRESS_STEP < self.basket_size:
                progress(_DRAWN * len(users) / events)
        columns: dict[str, Sequence[object] | NDArray[np.generic]] = {
            "user_id": users,
            "object_id": objects,
            "timestamp": times,
            "outcome": [self.outcome] * len(users),
        }
        for f in self.schema.context:
            columns[f.name] = _words(f, generator.integers(4, size=len(users)))
        return pd.DataFrame(columns)

    def _entities(
        self,
        generator: np.random.Generator,
        what: str,
        fields: tuple[Field, ...],
        taste: NDArray[np.int64],
        start_s: float,
    ) -> pd.DataFrame:
        n = len(taste)
        columns: dict[str, Sequence[object] | NDArray[np.generic]] = {
            f"{what}_id": [f"{what[0]}{i}" for i in range(n)]
        }
        for f in fields:
            if f.kind is Kind.NUMBER:
                columns[f.name] = generator.gamma(2.0, 10.0, size=n).round(2)
            elif f.kind is Kind.TIMESTAMP:
                before = generator.uniform(0.0, 1000.0, size=n) * DAY_S
                days = [datetime.fromtimestamp(start_s - b, UTC).date() for b in before]
                columns[f.name] = [day.isoformat() for day in days]
            else:
                # Half of the categories follow taste, the rest is noise.
                own = generator.integers(_TASTES * 3, size=n)
                columns[f.name] = _words(f, np.where(generator.random(n) < 0.5, taste, own))
        return pd.DataFrame(columns)


def _words(f: Field, codes: NDArray[np.int64]) -> list[str]:
    return [f"{f.name}-{code}" for code in codes.tolist()]


def _check(events: int, seed: int) -> None:
    violations = []
    if events < 100:
        violations.append(FieldViolation("events", f"got {events}: at least 100 are needed"))
    if seed < 0:
        violations.append(FieldViolation("seed", f"got {seed}: seeds are not negative"))
    if violations:
        raise InvalidRequestError(violations)


def _write(out: Path, tables: dict[str, pd.DataFrame], pools: dict[str, list[str]]) -> None:
    with staged_directory(out, last="events.csv") as directory:
        for name, table in tables.items():
            table.to_csv(directory / name, index=False, lineterminator="\n")
        (directory / "pools.json").write_text(json.dumps(pools) + "\n", encoding="utf-8")
