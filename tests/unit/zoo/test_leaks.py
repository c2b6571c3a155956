"""The leak ladder: what looks ahead is found by leaks and not by what is causal."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from core.evaluation import auc
from core.examples import ExampleTable, replay_examples
from core.log import EventLog, LabelRule, TieRule, build_log
from core.models import RECIPES, Compute
from core.state.state import State
from core.testing_logs import SMALL_SCHEMA, random_tables
from core.training import Recipe
from core.zoo.ladder import (
    RUNGS,
    at_random,
    chronological,
    climb,
    ladder_markdown,
    ladder_report,
)
from core.zoo.leaks import LEAKS, all_counts, entity_counts, next_event, next_rows, whole_svd

RULE = LabelRule(horizon_s=2000.0)
RECIPE = Recipe(trainers="tiny", min_rows=20)


def coin_log(n_pairs: int = 2400, seed: int = 0) -> EventLog:
    """Each pair is met once, and again a little later if a coin says so: the past knows nothing."""
    rng = np.random.default_rng(seed)
    first = np.sort(rng.uniform(0, 200_000, n_pairs))
    pair = rng.permutation(60 * 60)[:n_pairs]
    again = rng.random(n_pairs) < 0.5
    frame = pd.DataFrame(
        {
            "user_id": [f"u{p // 60}" for p in pair],
            "object_id": [f"o{p % 60}" for p in pair],
            "time_s": first,
        }
    )
    back = frame.assign(time_s=frame["time_s"] + rng.uniform(1, 1999, n_pairs))
    events = pd.concat([frame, back[again]]).sort_values("time_s", kind="stable")
    return build_log(
        "test",
        SMALL_SCHEMA,
        events.reset_index(drop=True),
        users=pd.DataFrame({"user_id": ["u0"]}),
        objects=pd.DataFrame({"object_id": ["o0"]}),
        label_rule=RULE,
        tie_rule=TieRule.ROW,
        where="events",
    )


@pytest.fixture(scope="module")
def log() -> EventLog:
    return coin_log()


def table_of(log: EventLog) -> ExampleTable:
    state = State(SMALL_SCHEMA, RULE.horizon_s, TieRule.ROW)
    return replay_examples(
        log, state, base_share=RECIPE.base_share, test_start=RECIPE.test_start, seed=0
    )


@pytest.fixture(scope="module")
def table(log: EventLog) -> ExampleTable:
    return table_of(log)


def test_a_coin_is_found_by_counts_of_the_future_and_not_by_the_past(
    log: EventLog, table: ExampleTable
) -> None:
    trainer = RECIPES["tiny"](Compute(threads=1))["lightgbm"]
    found = climb(log, SMALL_SCHEMA, table, RECIPE, trainer, seed=0)
    reached = {figures.rung.name: figures for figures in found}
    assert list(reached) == [rung.name for rung in RUNGS]
    # One coin may look a little like a signal: twelve of them are judged together below.
    assert abs(reached["causal"].roc_auc - 0.5) < 0.08
    assert abs(reached["random"].roc_auc - 0.5) < 0.08
    assert reached["counts"].roc_auc > 0.95
    assert reached["all"].roc_auc > 0.95
    ahead = reached["counts"].over_causal
    assert ahead is not None
    assert ahead.low > 0.3
    assert reached["random"].over_causal is None

    report = ladder_report("small", found, table, RECIPE, seed=0, notes=["a coin"])
    assert report == json.loads(json.dumps(report))
    rungs = {rung["name"]: rung for rung in report["rungs"]}
    assert rungs["causal"]["faked_points"] == 0.0
    assert rungs["counts"]["faked_points"] > 30.0
    text = ladder_markdown(report)
    assert all(rung.title in text for rung in RUNGS)
    assert "- a coin" in text


def test_the_past_knows_nothing_of_twelve_coins() -> None:
    """Neither the member on causal features nor the learner among them, on the mean of the logs."""
    trainer = RECIPES["tiny"](Compute(threads=1))["lightgbm"]
    member, learner = [], []
    for seed in range(12):
        log = coin_log(seed=seed)
        table = table_of(log)
        (causal,) = climb(log, SMALL_SCHEMA, table, RECIPE, trainer, seed=0, rungs=RUNGS[:1])
        names = [column.name for column in table.features.columns.numbers]
        known = table.labels >= 0
        forecast = table.features.numbers[known, names.index("online_logit")].astype(np.float64)
        member.append(causal.roc_auc)
        learner.append(auc(table.labels[known], forecast))
    for reached in (np.array(member), np.array(learner)):
        error = reached.std(ddof=1) / np.sqrt(len(reached))
        assert error < 0.02
        assert abs(reached.mean() - 0.5) < 3.5 * error


def test_a_random_split_has_blocks_of_the_same_sizes_that_never_overlap(
    table: ExampleTable,
) -> None:
    ordered = chronological(table, RECIPE)
    shuffled = at_random(ordered, seed=0)
    for name in ("train", "tune", "everything", "test"):
        assert getattr(shuffled, name).sum() == getattr(ordered, name).sum()
    assert not (shuffled.train & shuffled.tune).any()
    assert not (shuffled.everything & shuffled.test).any()
    assert ((shuffled.train | shuffled.tune) <= shuffled.everything).all()
    known = ordered.everything | ordered.test
    assert ((shuffled.everything | shuffled.test) == known).all()
    first = np.flatnonzero(ordered.test)[0]
    assert shuffled.test[:first].any()


def test_whole_log_counts_count_what_comes_later() -> None:
    log = random_tables(1, n_events=80).log()
    rows = np.arange(5)
    users = np.bincount(log.user_index)
    counted = entity_counts(log, SMALL_SCHEMA, rows, 0)
    at = counted.names.index("whole_log_user")
    np.testing.assert_allclose(counted.numbers[:, at], np.log1p(users[log.user_index[:5]]))
    pairs = all_counts(log, SMALL_SCHEMA, rows, 0)
    assert "whole_log_user_object" not in counted.names
    at = pairs.names.index("whole_log_user_object")
    for row in rows:
        same = (log.user_index == log.user_index[row]) & (log.object_index == log.object_index[row])
        assert pairs.numbers[row, at] == pytest.approx(np.log1p(same.sum()))


def test_the_next_event_is_the_users_first_after_the_moment() -> None:
    log = random_tables(3, n_events=80).log()
    rows = np.arange(len(log))
    following = next_rows(log, rows)
    taken = np.isin(log.outcome, ["play", "replay"])
    for row in rows:
        own = taken & (log.user_index == log.user_index[row]) & (log.tie_group > log.tie_group[row])
        expected = np.flatnonzero(own)
        assert following[row] == (expected[0] if len(expected) else -1)
    columns = next_event(log, SMALL_SCHEMA, rows, 0)
    wait = columns.numbers[:, columns.names.index("next_wait")]
    assert np.isnan(wait[following < 0]).all()
    first = int(np.flatnonzero(following >= 0)[0])
    seconds = log.time_s[following[first]] - log.time_s[first]
    assert wait[first] == pytest.approx(np.log1p(seconds), rel=1e-5)


def test_the_whole_svd_knows_the_pair_that_is_to_be_scored() -> None:
    log = random_tables(5, n_events=60, n_users=6, n_objects=8).log()
    rows = np.flatnonzero(log.is_example)
    columns = whole_svd(log, SMALL_SCHEMA, rows, 0)
    # At full rank the dot gives the matrix back: every example's own pair is a one in it.
    np.testing.assert_allclose(columns.numbers[:, columns.names.index("svd_dot")], 1.0, atol=1e-4)


@pytest.mark.parametrize("name", LEAKS)
def test_every_leak_names_its_columns(name: str) -> None:
    log = random_tables(2, n_events=80).log()
    rows = np.arange(10)
    columns = LEAKS[name](log, SMALL_SCHEMA, rows, 0)
    assert columns.numbers.shape == (10, len(columns.names))
    assert len(set(columns.names)) == len(columns.names)
