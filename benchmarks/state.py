"""What the state costs: `python -m benchmarks.state`, under a minute on two cores.

Replay in events a second without and with features, a live update, and the features of 1, 100 and
1,000 candidates; then bytes an entity and a pair. Warm kernels; a replay reads features in a second
thread where there is a second core.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.log import EventLog, LabelRule, Outcome, TieRule, build_log
from core.state.columns import Columns
from core.state.events import Event
from core.state.hashing import MAX_LOAD, PairTable
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.state import State
from domains.music.schema import SCHEMA

HORIZON_S = 30 * 86400.0


def random_log(n_events: int, n_users: int, n_objects: int, seed: int) -> EventLog:
    """A year of plays with long-tailed users and objects and the attributes of music."""
    rng = np.random.default_rng(seed)
    obj = (n_objects * rng.random(n_events) ** 3).astype(np.int64)
    events = pd.DataFrame(
        {
            "user_id": pd.Series((n_users * rng.random(n_events) ** 2).astype(np.int64)).astype(
                str
            ),
            "object_id": pd.Series(obj).astype(str),
            "time_s": np.sort(rng.integers(0, 365 * 86400, n_events)).astype(np.float64),
            "source_tab": rng.choice(["library", "search", "discover"], n_events),
            "source_screen": rng.choice([f"screen {i}" for i in range(20)], n_events),
            "source_type": rng.choice([f"type {i}" for i in range(12)], n_events),
        }
    )
    many = {"artist": 0.15, "composer": 0.2, "lyricist": 0.15, "isrc_registrant": 0.05}
    objects = pd.DataFrame({"object_id": pd.Series(np.arange(n_objects)).astype(str)})
    for name, share in many.items():
        of = rng.integers(0, max(int(share * n_objects), 1), n_objects)
        objects[name] = pd.Series(of).map(lambda i, name=name: f"{name} {i}")
    objects["genres"] = rng.choice(["1|2", "3", "4|5|6", "2"], n_objects)
    objects["language"] = rng.choice(["3", "31", "52"], n_objects)
    objects["isrc_country"] = rng.choice(["TW", "US", "JP"], n_objects)
    objects["length_s"] = rng.integers(60, 400, n_objects).astype(np.float64)
    return build_log(
        "music",
        SCHEMA,
        events,
        users=pd.DataFrame({"user_id": []}, dtype=str),
        objects=objects,
        label_rule=LabelRule(HORIZON_S),
        tie_rule=TieRule.TIMESTAMP,
        where="events",
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(title: str, rows: list[tuple[str, float]], unit: str) -> None:
    """Each row with its ratio to the first."""
    print(f"\n{title}")
    for name, value in rows:
        print(f"  {name:<42}{value:>12,.2f} {unit}{value / rows[0][1]:>10.2f}x")


def bytes_a_row(group: tuple[NDArray[np.generic], ...]) -> float:
    return sum(array[:1].nbytes for array in group)


def bytes_a_pair(pairs: PairTable) -> tuple[float, float]:
    """When the table is at its fullest and just after it has doubled."""
    slot = bytes_a_row(pairs[:-1])
    return slot / MAX_LOAD, 2 * slot / MAX_LOAD


def request(state: State, columns: Columns, user: int, objects: NDArray[np.int32]) -> None:
    context = {"source_tab": "library", "source_type": "type 3"}
    state.features(user, objects, context, state.clock_s, columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--objects", type=int, default=20_000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    log = random_log(arguments.events, arguments.users, arguments.objects, seed=0)
    warm = random_log(500, 20, 30, seed=1)
    live_state(warm)

    state = State(SCHEMA, HORIZON_S, TieRule.TIMESTAMP)
    setting_up = timed(lambda: state.log_arrays(log))
    replay = Replay(state, state.log_arrays(log))
    half = len(log) // 2
    without = timed(lambda: replay.run(half)) / half
    fitting = timed(lambda: fit_latent(state, seed=0))
    every_second = np.arange(len(log)) % 2 == 0
    with_features = timed(lambda: replay.run(len(log), every_second)) / (len(log) - half)
    table(
        f"Replay of {len(log):,} events, µs an event",
        [("without features", 1e6 * without), ("features of every second", 1e6 * with_features)],
        "µs",
    )
    print(f"  {1 / without:,.0f} and {1 / with_features:,.0f} events a second")
    print(f"  {1e3 * setting_up:,.0f} ms to set up, {1e3 * fitting:,.0f} ms to fit latent vectors")

    columns = state.columns
    rows: list[tuple[str, float]] = []
    for n in (1, 100, 1000):
        objects = [rng.integers(1, state.objects.end, n).astype(np.int32) for _ in range(100)]
        users = rng.integers(1, state.users.end, 100)
        spent = [
            timed(lambda u=u, o=o: request(state, columns, u, o))  # type: ignore[misc]
            for u, o in zip(users.tolist(), objects, strict=True)
        ]
        rows.append((f"features of {n} candidates", 1e6 * statistics.median(spent)))
    rows.append(("one live update", 1e6 * statistics.median(live_updates(state, log, 3000))))
    some = rng.integers(1, state.objects.end, 1000).astype(np.int32)
    rows.append(("met, of 1,000 candidates", 1e6 * timed(lambda: state.met(1, some))))
    rows.append(("columns", 1e6 * timed(lambda: state.columns)))
    table("Live, µs a call", rows, "µs")

    arrays = state.arrays
    print("\nMemory, bytes")
    for name in ("users", "objects", "values"):
        print(f"  a row of {name:<33}{bytes_a_row(getattr(arrays, name)):>12,.0f}")
    for name in ("user_value", "user_object", "object_context"):
        pairs = getattr(arrays, name)
        low, high = bytes_a_pair(pairs)
        count = int(pairs.size[0])
        print(f"  a pair of {name:<32}{low:>12,.0f} to {high:,.0f} ({count:,} pairs)")


def live_updates(state: State, log: EventLog, n: int) -> list[float]:
    """Seconds of each of n plays that go on after the log."""
    spent = []
    for row in range(n):
        event = Event(
            log.users.ids[log.user_index[row]],
            log.objects.ids[log.object_index[row]],
            Outcome.PLAY,
            float(log.time_s[-1]) + row,
            {"source_tab": "library"},
        )
        spent.append(timed(lambda event=event: state.update(event)))  # type: ignore[misc]
    return spent


def live_state(log: EventLog) -> None:
    """Compile or load every kernel."""
    state = State(SCHEMA, HORIZON_S, TieRule.TIMESTAMP)
    replay = Replay(state, state.log_arrays(log))
    replay.run(len(log), np.ones(len(log), bool))
    fit_latent(state, seed=0)
    request(state, state.columns, 1, np.arange(3, dtype=np.int32))
    state.met(1, np.arange(3, dtype=np.int32))
    live_updates(state, log, 3)


if __name__ == "__main__":
    main()
