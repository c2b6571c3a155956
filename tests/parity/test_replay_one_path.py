"""One feature path: what a replay leaves for training is, bit for bit, what live calls compute."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.content import ContentVectors, hidden_objects
from core.errors import BundleError
from core.log import UNKNOWN_LABEL, EventLog, Outcome, TieRule
from core.schema import Branch
from core.state import replay as replay_module
from core.state.columns import Columns, Family, FeatureBatch
from core.state.events import Event
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.state import NOBODY, State
from core.testing_logs import (
    HORIZON_S,
    SMALL_SCHEMA,
    context_of,
    event_of,
    new_state,
    random_content,
    random_tables,
)

SEEDS = st.integers(0, 2**32 - 1)
RULES = st.sampled_from(list(TieRule))
bounded = settings(max_examples=15, deadline=None)
CONTENT = random_content(6, [f"o{i}" for i in range(12)])
"""Training would hide some of it and show some."""


@dataclass(frozen=True)
class Pass:
    """What one pass over a log leaves: as-of features of every row, and the state."""

    numbers: NDArray[np.float32]
    codes: NDArray[np.int32]
    keys: NDArray[np.int64]
    state: State


def replayed(
    log: EventLog, rule: TieRule, base: int, content: ContentVectors | None = None
) -> tuple[Pass, NDArray[np.int8]]:
    """Features by replay; latent vectors are fitted after the first `base` rows and once more.

    Some content is hidden up to the second fit.
    """
    state = new_state(rule, content)
    replay = Replay(state, state.log_arrays(log))
    give(state, content)
    everything = np.ones(len(log), bool)
    stretches = [replay.run(base, everything)]
    for stop in (second_fit(log, base), len(log)):
        fit_latent(state, seed=3)
        if stop == len(log):
            state.show_content()
        stretches.append(replay.run(stop, everything))
    left = Pass(
        np.concatenate([numbers for _, numbers, _ in stretches]),
        np.concatenate([codes for _, _, codes in stretches]),
        np.zeros(len(log), np.int64),
        state,
    )
    return left, replay.labels


def second_fit(log: EventLog, base: int) -> int:
    """The row before which latent vectors are fitted again."""
    return (base + len(log)) // 2


def give(state: State, content: ContentVectors | None) -> None:
    """Give a state its content, with the vectors hidden that a training run would hide."""
    if content is not None:
        state.add_content(content, hidden_objects(content, seed=3))


def served(
    log: EventLog,
    rule: TieRule,
    base: int,
    store: Path | None = None,
    content: ContentVectors | None = None,
) -> Pass:
    """Features asked live before each tie group, whose events are then written one by one.

    With `store`, the state is saved and opened again by memory map after two thirds of the log.
    """
    state = new_state(rule, content)
    state.add_entities(log.users, log.objects, log.pools)
    give(state, content)
    columns = final_columns(log, rule, content)
    numbers = np.zeros((len(log), len(columns.numbers)), np.float32)
    codes = np.zeros((len(log), len(columns.codes)), np.int32)
    keys = np.zeros(len(log), np.int64)
    bounds = [*np.flatnonzero(np.diff(log.tie_group, prepend=-1)), len(log)]
    fits = [base, second_fit(log, base)]
    stored = False
    for start, stop in pairwise(bounds):
        while fits and start >= fits[0]:
            fit_latent(state, seed=3)
            fits.pop(0)
            if not fits:
                state.show_content()
        if store is not None and start >= 2 * len(log) // 3 and not stored:
            state.save(store)
            state = State.load(state.schema, store)
            stored = True
        state.advance(float(log.time_s[start]))
        for row in range(start, stop):
            batch = ask(state, log, row, columns)
            numbers[row], codes[row] = batch.numbers[0], batch.codes[0]
            assert batch.object_keys is not None
            keys[row] = batch.object_keys[0]
        for row in range(start, stop):
            state.update(event_of(log, row))
    for _ in fits:
        fit_latent(state, seed=3)
    return Pass(numbers, codes, keys, state)


def ask(state: State, log: EventLog, row: int, columns: Columns) -> FeatureBatch:
    return state.features(
        state.users.get(log.users.ids[log.user_index[row]]),
        np.array([state.objects.get(log.objects.ids[log.object_index[row]])], np.int32),
        context_of(log, row),
        float(log.time_s[row]),
        columns,
        user_time_s=float(log.user_time_s[row]),
    )


def final_columns(log: EventLog, rule: TieRule, content: ContentVectors | None = None) -> Columns:
    """The layout with the cardinalities of the whole log, as after a replay."""
    state = new_state(rule, content)
    state.log_arrays(log)
    give(state, content)
    return state.columns


def assert_same_bits(left: Pass, right: Pass) -> None:
    differing = np.argwhere(left.numbers.view(np.uint32) != right.numbers.view(np.uint32))
    names = [c.name for c in left.state.columns.numbers]
    assert not len(differing), [(int(i), names[k]) for i, k in differing[:5]]
    names = [c.name for c in left.state.columns.codes]
    differing = np.argwhere(left.codes != right.codes)
    assert not len(differing), [(int(i), names[k]) for i, k in differing[:5]]


@given(SEEDS, RULES, st.booleans(), st.floats(0.0, 1.0))
@bounded
def test_a_replay_equals_live_calls_bit_for_bit(
    seed: int, rule: TieRule, own_clock: bool, share: float
) -> None:
    log = random_tables(seed, tie_rule=rule, own_clock=own_clock).log()
    base = group_start(log, int(share * len(log)))
    left, _ = replayed(log, rule, base)
    assert_same_bits(left, served(log, rule, base))


@given(SEEDS, RULES, st.booleans())
@bounded
def test_so_it_does_with_content_of_which_some_is_hidden_and_shown_later(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rule: TieRule, own_clock: bool
) -> None:
    log, content = random_tables(seed, tie_rule=rule, own_clock=own_clock).log(), CONTENT
    base, store = group_start(log, 40), tmp_path_factory.mktemp("state")
    left, _ = replayed(log, rule, base, content)
    right = served(log, rule, base, store, content)
    assert_same_bits(left, right)
    users = left.state.users.end
    mine, theirs = left.state.arrays.content, right.state.arrays.content
    assert mine.taste[:users].tobytes() == theirs.taste[:users].tobytes()
    assert mine.met[:users].tolist() == theirs.met[:users].tolist()


@given(SEEDS, RULES)
@bounded
def test_content_changes_no_column_that_was_there_without_it(seed: int, rule: TieRule) -> None:
    log = random_tables(seed, tie_rule=rule).log()
    base = group_start(log, 40)
    plain, _ = replayed(log, rule, base)
    told, _ = replayed(log, rule, base, CONTENT)
    others = [c.family is not Family.CONTENT for c in told.state.columns.numbers]
    assert told.numbers[:, others].tobytes() == plain.numbers.tobytes()
    assert told.codes.tobytes() == plain.codes.tobytes()


def test_derived_labels_count_live_as_in_a_replay() -> None:
    log = random_tables(11).log()
    (left, labels), right = replayed(log, TieRule.TIMESTAMP, 40), served(log, TieRule.TIMESTAMP, 40)
    end = log.time_s[-1] + 2 * HORIZON_S
    for state in (left.state, right.state):
        state.advance(end)
    np.testing.assert_array_equal(
        left.state.arrays.totals.numbers, right.state.arrays.totals.numbers
    )
    n = len(left.state.arrays.users.counts)
    np.testing.assert_array_equal(
        left.state.arrays.users.counts, right.state.arrays.users.counts[:n]
    )
    assert {0, 1} <= set(labels.tolist())


@given(SEEDS, RULES)
@bounded
def test_saving_and_opening_in_the_midst_changes_nothing_and_leaves_the_files_alone(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rule: TieRule
) -> None:
    log = random_tables(seed, tie_rule=rule).log()
    store = tmp_path_factory.mktemp("state")
    left, _ = replayed(log, rule, group_start(log, 40))
    right = served(log, rule, group_start(log, 40), store)
    assert_same_bits(left, right)
    before = hashes(store)
    state = State.load(SMALL_SCHEMA, store)
    for row in range(len(log)):
        state.update(event_of(log, row))
    state.advance(np.inf)
    assert hashes(store) == before


def hashes(directory: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in directory.iterdir()}


@pytest.mark.parametrize("chunk", [1, 2, 7, 50])
def test_where_chunks_end_changes_nothing(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log = random_tables(5, span_s=2000).log()
    whole, labels = replayed(log, TieRule.TIMESTAMP, 40)
    monkeypatch.setattr(replay_module, "CHUNK", chunk)
    parts, part_labels = replayed(log, TieRule.TIMESTAMP, 40)
    assert_same_bits(whole, parts)
    assert labels.tolist() == part_labels.tolist()


def test_where_stretches_end_changes_nothing() -> None:
    log = random_tables(6, span_s=2000).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    wanted = np.ones(len(log), bool)
    runs = [replay.run(stop, wanted) for stop in (0, 3, 3, 17, 60, 10**9)]
    whole_state = new_state()
    rows, numbers, codes = Replay(whole_state, whole_state.log_arrays(log)).run(len(log), wanted)
    np.testing.assert_array_equal(np.concatenate([r[0] for r in runs]), rows)
    np.testing.assert_array_equal(np.concatenate([r[1] for r in runs]), numbers)
    np.testing.assert_array_equal(np.concatenate([r[2] for r in runs]), codes)


def test_two_logs_in_a_row_equal_one() -> None:
    tables = random_tables(8, tie_rule=TieRule.ROW)
    log, half = tables.log(), 60
    whole, _ = replayed(log, TieRule.ROW, len(log))
    state = new_state(TieRule.ROW)
    state.log_arrays(log)  # so that both know the same entities
    parts = []
    for rows in (slice(0, half), slice(half, len(log))):
        part = tables.log(rows)
        replay = Replay(state, state.log_arrays(part))
        parts.append(replay.run(len(part), np.ones(len(part), bool))[1])
    np.testing.assert_array_equal(np.concatenate(parts), whole.numbers)


@given(SEEDS)
@bounded
def test_a_batch_equals_its_rows_in_any_order(seed: int) -> None:
    left, _ = replayed(random_tables(seed).log(), TieRule.TIMESTAMP, 40)
    state, rng = left.state, np.random.default_rng(seed)
    candidates = rng.integers(0, state.objects.end, 30).astype(np.int32)
    user, now, columns = int(rng.integers(0, state.users.end)), state.clock_s + 50.0, state.columns
    context = {"surface": "home", "device": "never seen"}
    batch = state.features(user, candidates, context, now, columns)
    assert batch.object_keys is not None
    for i in range(len(candidates)):
        one = state.features(user, candidates[i : i + 1], context, now, columns)
        assert one.numbers.tobytes() == batch.numbers[i : i + 1].tobytes()
        assert one.codes.tobytes() == batch.codes[i : i + 1].tobytes()
        assert one.object_keys is not None
        assert one.object_keys[0] == batch.object_keys[i]
    order = rng.permutation(len(candidates))
    mixed = state.features(user, candidates[order], context, now, columns)
    assert mixed.numbers.tobytes() == batch.numbers[order].tobytes()
    assert mixed.codes.tobytes() == batch.codes[order].tobytes()


def test_an_empty_batch_has_no_rows() -> None:
    state = new_state()
    batch = state.features(NOBODY, np.zeros(0, np.int32), {}, 0.0, state.columns)
    assert batch.numbers.shape == (0, len(state.columns.numbers))
    assert len(batch) == 0


def test_reading_changes_nothing() -> None:
    left, _ = replayed(random_tables(9).log(), TieRule.TIMESTAMP, 40)
    state = left.state
    before = [a.tobytes() for group in state.arrays for a in group]
    state.features(
        NOBODY, np.arange(state.objects.end, dtype=np.int32), {}, 2e9, state.columns, {"age": 3}
    )
    assert [a.tobytes() for group in state.arrays for a in group] == before


@given(SEEDS, RULES)
@bounded
def test_equal_object_keys_promise_equal_object_columns(seed: int, rule: TieRule) -> None:
    log = random_tables(seed, tie_rule=rule).log()
    state = new_state(rule, CONTENT)
    state.add_entities(log.users, log.objects, log.pools)
    give(state, CONTENT)
    columns = final_columns(log, rule, CONTENT)
    numbers = [k for k, c in enumerate(columns.numbers) if c.branch is Branch.OBJECT]
    codes = [k for k, c in enumerate(columns.codes) if c.branch is Branch.OBJECT]
    objects = np.arange(len(log.objects) + 1, dtype=np.int32)
    seen: dict[int, tuple[bytes, bytes]] = {}
    for row in range(len(log)):
        if row == len(log) // 3:
            fit_latent(state, seed=3)
            state.show_content()
        now = float(log.time_s[row]) + row % 7
        batch = state.features(row % 5, objects, context_of(log, row), now, columns)
        assert batch.object_keys is not None
        for i, key in enumerate(batch.object_keys.tolist()):
            shown = batch.numbers[i, numbers].tobytes(), batch.codes[i, codes].tobytes()
            assert seen.setdefault(key, shown) == shown
        state.update(event_of(log, row))
    assert len(seen) > len(objects)


def test_capacity_changes_nothing() -> None:
    """Tables that must grow with nearly every event hold what large ones hold."""
    tables = random_tables(12, n_events=400, n_users=60, n_objects=80)
    log = tables.log()
    small = served(log, TieRule.TIMESTAMP, 200)  # grows event by event, from nothing
    large, _ = replayed(log, TieRule.TIMESTAMP, group_start(log, 200))
    assert_same_bits(large, small)


def group_start(log: EventLog, row: int) -> int:
    """The end of the tie group that `row` cuts, as a replay moves its stops."""
    while 0 < row < len(log) and log.tie_group[row] == log.tie_group[row - 1]:
        row += 1
    return row


def test_codes_beyond_the_trained_cardinality_are_unknown() -> None:
    log = random_tables(13).log()
    left, _ = replayed(log, TieRule.TIMESTAMP, 40)
    state, columns = left.state, left.state.columns
    context = {"surface": "new surface"}
    state.update(Event("new user", "new object", Outcome.PLAY, state.clock_s, context))
    user, obj = state.users.get("new user"), state.objects.get("new object")
    batch = state.features(user, np.array([obj], np.int32), context, state.clock_s, columns)
    shown = dict(zip([c.name for c in columns.codes], batch.codes[0].tolist(), strict=True))
    assert (batch.codes < columns.cardinalities).all()
    assert shown["user"] == shown["object"] == shown["previous_object"] == shown["surface"] == 0
    now = state.features(user, np.array([obj], np.int32), context, state.clock_s, state.columns)
    assert (now.codes[0, 0], now.codes[0, -5]) == (user, obj)


def test_a_state_of_another_schema_is_refused(tmp_path: Path) -> None:
    state = new_state()
    state.save(tmp_path)
    with pytest.raises(BundleError, match="another schema"):
        State.load(replace(SMALL_SCHEMA, pools=("other",)), tmp_path)
    (tmp_path / "users.counts.npy").unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        State.load(SMALL_SCHEMA, tmp_path)


@given(SEEDS, RULES)
@bounded
def test_which_rows_are_examples_is_nothing_to_the_features(seed: int, rule: TieRule) -> None:
    """Examples choose what is trained on; statistics count the first meeting of every pair."""
    tables = random_tables(seed, tie_rule=rule)
    base = 60
    as_derived, _ = replayed(tables.log(), rule, base)
    chosen = np.random.default_rng(seed).random(len(tables.events)) < 0.3
    others = replace(tables, events=tables.events.assign(is_example=chosen))
    assert_same_bits(as_derived, replayed(others.log(), rule, base)[0])


@given(SEEDS, RULES)
@bounded
def test_a_log_that_brings_true_labels_of_some_rows_leaves_what_live_calls_compute(
    seed: int, rule: TieRule
) -> None:
    tables = random_tables(seed, tie_rule=rule)
    log = tables.log()
    _, derived = replayed(log, rule, len(log))
    given_rows = (np.random.default_rng(seed).random(len(log)) < 0.5) & (derived >= 0)
    labelled = replace(
        tables,
        events=tables.events.assign(
            is_example=given_rows, label=np.where(given_rows, derived, UNKNOWN_LABEL)
        ),
    ).log()
    base = 60
    assert_same_bits(replayed(labelled, rule, base)[0], served(log, rule, base))
