"""A fit as of a moment: what comes later changes nothing of it, down to the last bit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.errors import NotEnoughDataError
from core.evaluation import auc
from core.examples import REFIT_GROWTH, ExampleTable, base_rows, replay_examples
from core.log import UNKNOWN_LABEL, EventLog, LabelRule, TieRule, build_log
from core.models import RECIPES
from core.publish import evaluate_log
from core.state.arrays import TIE_GROUP
from core.state.columns import Family
from core.state.latent_fit import fit_latent
from core.state.state import State
from core.testing_domain import ONE_THREAD, SMALL_DOMAIN
from core.testing_logs import HORIZON_S, SMALL_SCHEMA, LogTables, new_state, random_tables
from core.training import Recipe, evaluate, fit_as_of, predict_all

RECIPE = Recipe(trainers="tiny", min_rows=20, base_share=0.15, tune_share=0.15, stack_share=0.15)
TRAINERS = RECIPES["tiny"](ONE_THREAD)
KINDS_OF_LOG = ("labels in the file", "labels from returns", "positions by user")


def tables_of_kind(kind: str, step_s: float = 1.0) -> LogTables:
    """3000 events; with a large `step_s` labels mature in the very moments of other events."""
    seed = 0
    tables = random_tables(
        seed,
        n_events=3000,
        n_users=90,
        n_objects=40,
        given_labels=kind != "labels from returns",
        own_clock=kind == "positions by user",
        reactions=0.05,
    )
    rng = np.random.default_rng(seed)
    events = tables.events
    # The objects of `random_tables` are few and popular: here most pairs meet once or twice.
    events["object_id"] = [f"o{i}" for i in rng.integers(0, 40, len(events))]
    events["time_s"] = events["time_s"] // step_s * step_s
    taken = events["outcome"].isin(["play", "replay"])
    pair = events[taken].drop_duplicates(["user_id", "object_id"]).index
    events["is_example"] = np.isin(np.arange(len(events)), pair)
    if kind == "positions by user":
        place = events.groupby("user_id").cumcount().to_numpy(np.float64)
        count = events.groupby("user_id")["user_id"].transform("count").to_numpy(np.float64)
        events["position"] = np.where(events["is_example"], place / count, np.nan)
        events["matures_position"] = np.where(events["is_example"], (place + 3) / count, np.nan)
    return replace(tables, events=events)


def log_of_kind(kind: str, step_s: float = 1.0) -> EventLog:
    """Their log."""
    return tables_of_kind(kind, step_s).log()


def table_of(log: EventLog, test_start: float = RECIPE.test_start) -> tuple[ExampleTable, State]:
    """Examples and state."""
    state = new_state()
    share = RECIPE.base_share
    return replay_examples(log, state, base_share=share, test_start=test_start, seed=0), state


def until(log: EventLog, row: int) -> EventLog:
    """The log without the rows from `row` on; what was known of positions stays as it was."""
    arrays = {
        name: getattr(log, name)[:row]
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
    context = {name: values[:row] for name, values in log.context.items()}
    return replace(log, context=context, **arrays)


def predictions(
    ensemble_table: ExampleTable, on: ExampleTable, position: float, seed: int = 0
) -> NDArray[np.float64]:
    """Fit on one table as of a position and score the later rows of another."""
    fitted = fit_as_of(ensemble_table, position, RECIPE, TRAINERS, seed=seed)
    rows = np.flatnonzero(on.position >= position)
    profile = next(iter(fitted.ensemble.stacks))
    return predict_all(fitted.ensemble, on.features.take(rows), profile)[0]


@pytest.mark.parametrize("kind", KINDS_OF_LOG[:2])
@pytest.mark.parametrize("step_s", [1.0, 250.0])
def test_removing_the_test_block_changes_no_bit_of_the_model(kind: str, step_s: float) -> None:
    log = log_of_kind(kind, step_s)
    table, _ = table_of(log)
    first = int(table.row[table.position >= RECIPE.test_start].min())
    # The moment of the first test row stays: its begin is what matures the last labels.
    end = int(np.searchsorted(log.tie_group, log.tie_group[first], side="right"))
    short_table, short_state = table_of(until(log, end))
    assert len(short_table) < len(table)
    assert short_state.columns == table.features.columns
    rows = len(short_table)
    assert table.features.numbers[:rows].tobytes() == short_table.features.numbers.tobytes()
    assert table.features.codes[:rows].tobytes() == short_table.features.codes.tobytes()
    whole = predictions(table, table, RECIPE.test_start)
    assert len(whole) > 100
    assert whole.tobytes() == predictions(short_table, table, RECIPE.test_start).tobytes()


@pytest.mark.parametrize("kind", KINDS_OF_LOG[:2])
def test_a_log_that_ends_where_the_test_block_begins_leaves_the_same_features(kind: str) -> None:
    """Read anew, with positions of its own and nothing held back for a test."""
    tables = tables_of_kind(kind)
    log = tables.log()
    table, _ = table_of(log)
    first = int(table.row[table.position >= RECIPE.test_start].min())
    end = int(np.searchsorted(log.tie_group, log.tie_group[first], side="right"))
    assert not (log.matures_at_s == log.time_s[first]).any()  # else "before" and "at" would differ
    short, _ = table_of(tables.log(slice(0, end)), test_start=1.0)
    known = short.matures_position <= 1.0
    assert np.array_equal(table.row[table.matures_position <= RECIPE.test_start], short.row[known])
    rows = len(short)
    assert table.features.numbers[:rows].tobytes() == short.features.numbers.tobytes()
    assert table.features.codes[:rows].tobytes() == short.features.codes.tobytes()


@pytest.mark.parametrize("kind", KINDS_OF_LOG[:2])
def test_another_future_changes_no_bit_of_the_model(kind: str) -> None:
    log = log_of_kind(kind)
    table, _ = table_of(log)
    first = int(table.row[table.position >= RECIPE.test_start].min())
    end = int(np.searchsorted(log.tie_group, log.tie_group[first], side="right"))
    rng = np.random.default_rng(9)
    order = np.concatenate([np.arange(end), end + rng.permutation(len(log) - end)])
    other = replace(
        log,
        user_index=log.user_index[order],
        object_index=log.object_index[order],
        outcome=np.where(np.arange(len(log)) < end, log.outcome, "play"),
        # The labels and the positions of what is already known stay.
        is_example=np.where(np.arange(len(log)) < end, log.is_example, False),
    )
    other_table, _ = table_of(other)
    whole = predictions(table, table, RECIPE.test_start)
    assert whole.tobytes() == predictions(other_table, table, RECIPE.test_start).tobytes()


@pytest.mark.parametrize("kind", KINDS_OF_LOG)
def test_labels_that_mature_after_the_begin_of_the_test_block_are_never_used(kind: str) -> None:
    table, _ = table_of(log_of_kind(kind))
    later = table.matures_position > RECIPE.test_start
    assert (later & (table.position < RECIPE.test_start)).any()
    turned = replace(table, labels=np.where(later, 1 - table.labels, table.labels).astype(np.int8))
    assert (turned.labels != table.labels).any()
    whole = predictions(table, table, RECIPE.test_start)
    assert whole.tobytes() == predictions(turned, table, RECIPE.test_start).tobytes()


@pytest.mark.parametrize("kind", KINDS_OF_LOG)
def test_labels_in_the_file_that_mature_after_the_logs_end_are_never_published(kind: str) -> None:
    table, _ = table_of(log_of_kind(kind))
    fitted = fit_as_of(table, 1.0, RECIPE, TRAINERS, seed=0)
    used = fitted.blocks.all
    assert (table.matures_position[used] <= 1.0).all()
    if kind != "labels from returns":
        assert (table.labels != UNKNOWN_LABEL)[~used].any()


@pytest.mark.parametrize("kind", KINDS_OF_LOG)
def test_the_same_seed_gives_the_same_predictions_and_another_seed_others(kind: str) -> None:
    log = log_of_kind(kind)
    one = predictions(table_of(log)[0], table_of(log)[0], RECIPE.test_start)
    again = predictions(table_of(log)[0], table_of(log)[0], RECIPE.test_start)
    other = predictions(table_of(log)[0], table_of(log)[0], RECIPE.test_start, seed=1)
    assert one.tobytes() == again.tobytes()
    assert not np.array_equal(one, other)


def test_no_example_lies_in_the_base_period() -> None:
    log = log_of_kind("labels in the file")
    base = base_rows(log, base_share=RECIPE.base_share, test_start=RECIPE.test_start)
    assert table_of(log)[0].row.min() >= base > 0


def test_vectors_are_fitted_at_the_end_of_the_base_period_and_when_the_log_has_grown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = log_of_kind("labels in the file")
    passed: list[int] = []

    def fit_and_tell(state: State, seed: int) -> None:
        passed.append(state.arrays.totals.numbers[TIE_GROUP] + 1)
        fit_latent(state, seed)

    monkeypatch.setattr("core.examples.fit_latent", fit_and_tell)
    table_of(log)
    base = base_rows(log, base_share=RECIPE.base_share, test_start=RECIPE.test_start)
    due = [base]
    while due[-1] * REFIT_GROWTH < len(log):
        due.append(math.ceil(due[-1] * REFIT_GROWTH))
    assert len(due) > 4
    # Tie groups are never divided: a fit waits for the end of its moment.
    assert passed == [log.tie_group[row - 1] + 1 for row in due]


def test_examples_carry_the_rows_users_and_labels_of_the_log() -> None:
    log = log_of_kind("labels in the file")
    table, _ = table_of(log)
    assert np.array_equal(table.user, log.user_index[table.row])
    assert np.array_equal(table.object, log.object_index[table.row])
    assert np.array_equal(table.labels, log.labels[table.row])
    assert np.array_equal(table.position, log.position[table.row])
    assert (np.diff(table.row) > 0).all()
    assert log.is_example[table.row].all()


def test_a_derived_label_is_a_return_in_another_moment_within_the_horizon() -> None:
    log = log_of_kind("labels from returns")
    table, _ = table_of(log)
    taken = np.isin(log.outcome.astype(str), ["play", "replay"])
    for i in range(len(table)):
        row = table.row[i]
        same = taken & (log.user_index == table.user[i]) & (log.object_index == table.object[i])
        elapsed = log.time_s - log.time_s[row]
        returned = (same & (elapsed > 0) & (elapsed <= HORIZON_S)).any()
        assert table.labels[i] == int(returned)
    assert set(table.labels.tolist()) == {0, 1}


def test_chosen_rows_are_a_view_where_they_lie_together() -> None:
    table, _ = table_of(log_of_kind("labels in the file"))
    together = (table.position >= 0.3) & (table.position < 0.5)
    apart = together & (np.arange(len(table)) % 2 == 0)
    assert np.shares_memory(table.take(together).features.numbers, table.features.numbers)
    for chosen in (together, apart):
        taken = table.take(chosen)
        assert np.array_equal(taken.features.codes, table.features.codes[chosen])
        assert taken.labels.dtype == np.float32
        assert taken.labels.tolist() == table.labels[chosen].tolist()
    assert len(table.take(np.zeros(len(table), bool))) == 0


def test_a_log_without_a_label_before_the_test_block_is_refused() -> None:
    events = pd.DataFrame(
        {"user_id": ["u"] * 30, "object_id": ["o"] * 30, "time_s": np.arange(30) * 1000.0}
    )
    log = build_log(
        "test",
        SMALL_SCHEMA,
        events,
        users=pd.DataFrame({"user_id": ["u"]}),
        objects=pd.DataFrame({"object_id": ["o"]}),
        label_rule=LabelRule(HORIZON_S),
        tie_rule=TieRule.TIMESTAMP,
        where="events",
    )
    with pytest.raises(NotEnoughDataError, match=r"no label is known.*longer log"):
        table_of(log)


@pytest.mark.parametrize("kind", KINDS_OF_LOG)
def test_an_evaluation_scores_all_of_the_test_block_and_measures_what_is_known(kind: str) -> None:
    log = log_of_kind(kind)
    evaluated = evaluate_log(SMALL_DOMAIN, log, RECIPE, ONE_THREAD, seed=0)
    table, evaluation = evaluated.table, evaluated.evaluation
    test = table.position >= RECIPE.test_start
    assert np.array_equal(evaluation.rows, table.row[test])
    assert len(evaluation.probabilities) == test.sum()
    assert ((evaluation.probabilities > 0) & (evaluation.probabilities < 1)).all()
    known = table.labels[test] != UNKNOWN_LABEL
    for profile, figures in evaluation.ensembles.items():
        probabilities, _ = predict_all(
            evaluated.fitted.ensemble, table.features.take(np.flatnonzero(test)), profile
        )
        assert figures.rows == known.sum()
        assert figures.roc_auc == auc(table.labels[test][known], probabilities[known])
    assert set(evaluation.members) == set(TRAINERS)
    assert evaluation.masked.keys() == evaluation.ensembles.keys()


def test_masked_figures_know_no_context_of_the_request() -> None:
    log = log_of_kind("labels in the file")
    table, _ = table_of(log)
    fitted = fit_as_of(table, RECIPE.test_start, RECIPE, TRAINERS, seed=0)
    unknown = {name: np.full(len(log), "", object) for name in log.context}
    test = table.position >= RECIPE.test_start
    plain = evaluate(log, table, fitted.ensemble, RECIPE, seed=0)
    masked_columns = [c.name for c in table.features.columns.codes if c.needs_context]
    assert masked_columns == list(unknown)
    masked = table.features.take(np.flatnonzero(test)).without_context()
    for profile, figures in plain.masked.items():
        probabilities, _ = predict_all(fitted.ensemble, masked, profile)
        assert figures.roc_auc == auc(table.labels[test], probabilities)
    statics = [c for c in table.features.columns.numbers if c.family is Family.STATIC]
    assert not any(c.needs_context for c in statics)


def test_cold_rows_are_those_of_entities_without_an_event_before_the_block() -> None:
    log = log_of_kind("labels in the file")
    table, _ = table_of(log)
    fitted = fit_as_of(table, RECIPE.test_start, RECIPE, TRAINERS, seed=0)
    first = int(table.row[table.position >= RECIPE.test_start].min())
    # Nobody met object 3 and user 5 did nothing before the block.
    before = np.arange(len(log)) < first
    log = replace(
        log,
        user_index=np.where(before & (log.user_index == 5), 6, log.user_index),
        object_index=np.where(before & (log.object_index == 3), 4, log.object_index),
    )
    evaluation = evaluate(log, table, fitted.ensemble, RECIPE, seed=0)
    rows = evaluation.rows
    figures = next(iter(evaluation.ensembles.values()))
    assert figures.cold_users.rows == (log.user_index[rows] == 5).sum() > 0
    assert figures.cold_objects.rows == (log.object_index[rows] == 3).sum() > 0


def test_a_block_without_examples_is_refused() -> None:
    log = log_of_kind("labels in the file")
    table, _ = table_of(log)
    fitted = fit_as_of(table, RECIPE.test_start, RECIPE, TRAINERS, seed=0)
    early = replace(table, position=table.position * 0.5)
    with pytest.raises(NotEnoughDataError, match="the test block has no examples"):
        evaluate(log, early, fitted.ensemble, RECIPE, seed=0)


def test_progress_names_the_stage_and_the_member_once_each() -> None:
    seen: list[tuple[str, float]] = []
    table, _ = table_of(log_of_kind("labels in the file"))
    fit_as_of(
        table,
        RECIPE.test_start,
        RECIPE,
        TRAINERS,
        seed=0,
        progress=lambda what, done: seen.append((what, done)),
    )
    stages = list(dict.fromkeys(what for what, _ in seen))
    assert stages == [f"{stage}: {m}" for stage in ("choose", "stack", "refit") for m in TRAINERS]
    for stage in stages:
        fractions = [done for what, done in seen if what == stage]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0
