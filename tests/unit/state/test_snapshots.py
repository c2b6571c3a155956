"""Features read from snapshots are those of the live state, whoever reads them and when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.content import hidden_objects
from core.state import replay as replay_module
from core.state import snapshot_reader
from core.state.arrays import MET
from core.state.latent_fit import fit_latent
from core.state.reading import read_codes, read_numbers
from core.state.replay import Replay
from core.state.snapshots import forget, new_snapshots, read_snapshots, take
from core.state.state import NOBODY, State
from core.testing_logs import new_state, random_content, random_tables

CONTENT = random_content(6, [f"o{i}" for i in range(12)])
ROWS = 5


def a_state(seed: int) -> State:
    """Met, liked and skipped things, some before the latent fit and some after it."""
    log = random_tables(seed).log()
    state = new_state(content=CONTENT)
    replay = Replay(state, state.log_arrays(log))
    state.add_content(CONTENT, hidden_objects(CONTENT, seed=seed))
    replay.run(40)
    fit_latent(state, seed=seed)
    replay.run(len(log) // 2)
    return state


def a_row(
    state: State, rng: np.random.Generator
) -> tuple[int, NDArray[np.int32], NDArray[np.int32], float]:
    """User, candidate, context and moment; each of them may be unknown."""
    names = ("home", "search", "never seen")
    context = {
        field: str(rng.choice(names)) for field in ("surface", "device") if rng.random() < 0.8
    }
    user = int(rng.integers(NOBODY, state.users.end))
    candidate = rng.integers(NOBODY, state.objects.end, 1).astype(np.int32)
    return user, candidate, state.names.context_values(context), state.clock_s + rng.random() * 9e3


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_a_snapshot_reads_as_the_state_does(seed: int) -> None:
    """Also in a place that other rows had before."""
    state, rng = a_state(seed % 20), np.random.default_rng(seed)
    columns = state.columns
    snapshots = new_snapshots(state.arrays, ROWS, len(columns.codes))
    for _ in range(3):
        forget(snapshots)
        numbers = np.empty((ROWS, len(columns.numbers)), np.float32)
        codes = np.empty((ROWS, len(columns.codes)), np.int32)
        for i in range(ROWS):
            user, candidate, context, now = a_row(state, rng)
            read_numbers(state.arrays, user, candidate, context, now, now + 7, numbers[i : i + 1])
            read_codes(
                state.arrays.users,
                state.arrays.objects,
                state.arrays.values,
                user,
                candidate,
                context,
                columns.cardinalities,
                codes[i : i + 1],
            )
            take(
                state.arrays,
                user,
                candidate,
                context,
                now,
                now + 7,
                columns.cardinalities,
                snapshots,
                i,
            )
        copied = np.empty_like(numbers)
        read_snapshots(snapshots, ROWS, copied)
        assert copied.tobytes() == numbers.tobytes()
        assert snapshots.codes.tobytes() == codes.tobytes()


def test_what_the_log_brings_later_does_not_show() -> None:
    log = random_tables(3).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(60)
    busiest = int(np.argmax(state.arrays.users.trail[:, MET]))
    candidate = state.recent_objects(busiest)[:1]
    context = state.names.context_values({"surface": "home"})
    now, columns = state.clock_s, state.columns
    before = np.empty((1, len(columns.numbers)), np.float32)
    read_numbers(state.arrays, busiest, candidate, context, now, now, before)
    snapshots = new_snapshots(state.arrays, 1, len(columns.codes))
    take(state.arrays, busiest, candidate, context, now, now, columns.cardinalities, snapshots, 0)
    replay.run(len(log))
    copied, today = np.empty_like(before), np.empty_like(before)
    read_snapshots(snapshots, 1, copied)
    read_numbers(state.arrays, busiest, candidate, context, now, now, today)
    assert copied.tobytes() == before.tobytes()
    assert today.tobytes() != before.tobytes()


Result = tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.int32], NDArray[np.int8]]


def replayed(chunk: int, span_s: int) -> Result:
    log = random_tables(4, span_s=span_s).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    wanted = np.arange(len(log)) % 3 > 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replay_module, "CHUNK", chunk)
        rows, numbers, codes = replay.run(len(log), wanted)
    return rows, numbers, codes, replay.labels


def assert_equal(left: Result, right: Result) -> None:
    for k in range(len(left)):
        np.testing.assert_array_equal(left[k], right[k])


def test_on_one_core_the_features_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_reader, "_cores", lambda: 2)
    two = replayed(10, 2000)
    monkeypatch.setattr(snapshot_reader, "_cores", lambda: 1)
    assert_equal(replayed(10, 2000), two)


@pytest.mark.parametrize("chunk", [3, 11])
def test_a_moment_may_have_more_rows_than_a_chunk(chunk: int) -> None:
    """Everything happens within three seconds, in groups of dozens of rows."""
    assert np.unique(random_tables(4, span_s=3).log().tie_group, return_counts=True)[1].max() > 11
    assert_equal(replayed(chunk, 3), replayed(10_000, 3))


class FullSink:
    """Has room for one chunk."""

    def __init__(self, state: State) -> None:
        self.kept = 0
        self._columns = state.columns

    def room(self, rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        n_numbers, n_codes = len(self._columns.numbers), len(self._columns.codes)
        return np.empty((rows, n_numbers), np.float32), np.empty((rows, n_codes), np.int32)

    def keep(self, rows: int) -> None:
        if self.kept:
            raise OSError("no room is left")
        self.kept += rows


@pytest.mark.parametrize("cores", [1, 2])
def test_a_sink_that_is_full_ends_the_replay(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_reader, "_cores", lambda: cores)
    monkeypatch.setattr(replay_module, "CHUNK", 5)
    log = random_tables(4).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    sink = FullSink(state)
    with pytest.raises(OSError, match="no room is left"):
        replay.run_into(sink, len(log), np.ones(len(log), bool))
    assert 0 < sink.kept < len(log)
