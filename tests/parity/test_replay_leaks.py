"""Honesty: no feature knows what comes later, what has not matured, or what shares its moment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.log import EventLog, TieRule
from core.state.arrays import ALL_LABELS
from core.state.columns import Family, NumberColumn
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.testing_logs import LogTables, new_state, random_content, random_tables

SEEDS = st.integers(0, 2**32 - 1)
RULES = st.sampled_from(list(TieRule))
bounded = settings(max_examples=20, deadline=None)

CONTENT = random_content(6, [f"o{i}" for i in range(31)])
BASE = 50
"""Rows before the latent fit, whose tie group is finished."""

Features = tuple[NDArray[np.float32], NDArray[np.int32]]


def features(log: EventLog, base: int = BASE) -> Features:
    """As-of numbers and codes of every row, with latent vectors of the base period."""
    state = new_state(content=CONTENT)
    replay = Replay(state, state.log_arrays(log))
    state.add_content(CONTENT)
    everything = np.ones(len(log), bool)
    _, numbers, codes = replay.run(base, everything)
    fit_latent(state, seed=3)
    _, more_numbers, more_codes = replay.run(len(log), everything)
    return np.concatenate([numbers, more_numbers]), np.concatenate([codes, more_codes])


def assert_same_bits(left: Features, right: Features, n: int) -> None:
    assert left[0][:n].tobytes() == right[0][:n].tobytes()
    assert left[1][:n].tobytes() == right[1][:n].tobytes()


def cut(log: EventLog, share: float) -> int:
    """A row after the base period that begins a tie group."""
    row = BASE + 1 + int(share * (len(log) - BASE - 2))
    while row < len(log) and log.tie_group[row] == log.tie_group[row - 1]:
        row += 1
    return row


@given(SEEDS, RULES, st.floats(0.0, 1.0), st.booleans())
@bounded
def test_shuffling_the_events_after_a_moment_changes_no_feature_up_to_it(
    seed: int, rule: TieRule, share: float, given_labels: bool
) -> None:
    tables = random_tables(seed, tie_rule=rule, given_labels=given_labels)
    log = tables.log()
    # The group at the cut stays where it is: its features are still of the past.
    at = cut(log, share)
    now = at + int(np.sum(log.tie_group[at:] == log.tie_group[at])) if at < len(log) else at
    rng = np.random.default_rng(seed)
    events = tables.events.copy()
    what = [c for c in events.columns if c not in ("time_s", "is_example")]
    events.loc[now:, what] = events.loc[now:, what].iloc[rng.permutation(len(log) - now)].to_numpy()
    events = events.astype(tables.events.dtypes.to_dict())
    shuffled = replace(tables, events=with_examples(events)).log()
    assert (shuffled.user_index[now:] != log.user_index[now:]).any() or len(log) - now < 20
    assert_same_bits(features(log), features(shuffled), now)


def with_examples(events: pd.DataFrame) -> pd.DataFrame:
    """The events with examples marked anew: first interactions of their pairs."""
    taken = events["outcome"].isin(["play", "replay"])
    first = events[taken].drop_duplicates(["user_id", "object_id"]).index
    return events.assign(is_example=events.index.isin(first))


@given(SEEDS, RULES, st.floats(0.0, 1.0))
@bounded
def test_removing_the_test_block_changes_no_feature_before_it(
    seed: int, rule: TieRule, share: float
) -> None:
    tables = random_tables(seed, tie_rule=rule)
    log = tables.log()
    n = cut(log, share)
    assert_same_bits(features(log), features(tables.log(slice(0, n))), n)


@given(SEEDS)
@bounded
def test_entities_of_the_test_block_change_no_number_before_it(seed: int) -> None:
    """Without the catalogue rows of entities that come later, only codes may move.

    The facet space is left out: its columns stand in the order of the catalogue's values, and
    another order rounds differently.
    """
    tables = random_tables(seed, n_users=20, n_objects=30)
    log = tables.log()
    n = cut(log, 0.3)
    known = tables.events.iloc[:n]
    without = LogTables(
        known,
        tables.users[tables.users["user_id"].isin(known["user_id"])],
        tables.objects[tables.objects["object_id"].isin(known["object_id"])],
        tables.pools,
        tables.tie_rule,
    )
    columns = new_state(content=CONTENT).columns
    kept = [k for k, c in enumerate(columns.numbers) if not in_facet_space(c)]
    left, right = features(log)[0][:n, kept], features(without.log())[0][:, kept]
    assert left.tobytes() == right.tobytes()


def in_facet_space(column: NumberColumn) -> bool:
    return column.family is Family.LATENT and "artist" in column.name


@given(SEEDS, RULES, st.floats(0.0, 1.0))
@bounded
def test_a_label_that_has_not_matured_changes_no_feature(
    seed: int, rule: TieRule, share: float
) -> None:
    log = random_tables(seed, tie_rule=rule, given_labels=True).log()
    n = cut(log, share)
    now = log.time_s[n - 1]
    open_labels = log.matures_at_s >= now
    flipped = replace(log, labels=np.where(open_labels, 1 - log.labels, log.labels))
    assert_same_bits(features(log), features(flipped), n)


def test_a_label_that_has_matured_changes_features() -> None:
    """The contrast: the tests above can fail."""
    log = random_tables(1, given_labels=True).log()
    flipped = replace(log, labels=(1 - log.labels).astype(np.int8))
    left, right = features(log)[0], features(flipped)[0]
    rows = np.flatnonzero(((left != right) & ~np.isnan(left)).any(axis=1))
    assert len(rows)
    assert log.time_s[rows[0]] > log.matures_at_s[log.is_example].min()


@given(SEEDS)
@bounded
def test_members_of_one_tie_group_do_not_see_each_other(seed: int) -> None:
    """The last of a group has the features that it would have alone: without the others."""
    tables = random_tables(seed, span_s=1500)
    log = tables.log()
    known = features(log)
    groups, sizes = np.unique(log.tie_group, return_counts=True)
    lasts = np.cumsum(sizes) - 1
    beyond_base = (sizes > 1) & (lasts - sizes >= BASE)
    assert beyond_base.any()
    for group, row in list(zip(groups[beyond_base], lasts[beyond_base], strict=True))[:3]:
        before = np.flatnonzero(log.tie_group < group)
        numbers, codes = features(only(log, np.append(before, row)))
        assert numbers[-1].tobytes() == known[0][row].tobytes()
        assert codes[-1].tobytes() == known[1][row].tobytes()


def only(log: EventLog, rows: NDArray[np.intp]) -> EventLog:
    """The chosen rows of a log with all its entities."""
    taken = {
        name: getattr(log, name)[rows]
        for name in (
            "user_index",
            "object_index",
            "time_s",
            "user_time_s",
            "tie_group",
            "outcome",
            "is_example",
            "labels",
            "matures_at_s",
            "position",
            "matures_position",
            "row_id",
        )
    }
    return replace(log, context={k: v[rows] for k, v in log.context.items()}, **taken)


def test_a_feature_needs_no_return_to_know_that_none_came() -> None:
    """A label derived as 0 counts at the same moment as one derived as 1: at the horizon."""
    log = random_tables(3).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(len(log))
    counted = int(state.arrays.totals.numbers[ALL_LABELS])
    due = log.is_example & (log.matures_at_s < log.time_s[-1])
    assert counted == due.sum() == (replay.labels >= 0).sum()
