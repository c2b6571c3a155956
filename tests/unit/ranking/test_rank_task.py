"""The rank task: fitted by moments, calibrated for all candidates, kept in files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.ensemble import Profile
from core.errors import BundleError
from core.examples import replay_observed
from core.models import RECIPES, TRAINERS, Progress
from core.ranking.lists import ListCollector, ListTable
from core.ranking.recommender import fail
from core.ranking.settings import LISTS, ListSettings
from core.ranking.task import FittedRank, RankTask, fit_rank_task
from core.requests import Novelty, RecommendRequest, UserRef
from core.state.state import State
from core.testing_domain import ONE_THREAD, SMALL_DOMAIN, small_log

TINY = replace(LISTS["tiny"], lists=600)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[ListTable, ListTable]:
    """The same lists of a small log: a share of the negatives, and all of them."""
    log = small_log(tmp_path_factory.mktemp("rank") / "log", events=12_000)

    def lists(settings: ListSettings) -> ListTable:
        state = State(SMALL_DOMAIN.schema, log.label_rule.horizon_s, SMALL_DOMAIN.tie_rule)
        collector = ListCollector(
            log,
            SMALL_DOMAIN.stages,
            settings,
            horizon_s=SMALL_DOMAIN.recipe.horizon_of_lists_s(log),
            seed=0,
            report=fail,
        )
        replay_observed(log, state, collector, base_share=0.1, seed=0)
        table = collector.table()
        assert table is not None
        return table

    return lists(TINY), lists(replace(TINY, negative_share=1.0))


def fit(table: ListTable, progress: Progress | None = None) -> FittedRank:
    return fit_rank_task(
        table,
        SMALL_DOMAIN.recipe,
        TINY,
        RECIPES["tiny"](ONE_THREAD),
        source_limit=200,
        seed=0,
        progress=progress,
    )


@pytest.fixture(scope="module")
def fitted(tables: tuple[ListTable, ListTable]) -> FittedRank:
    return fit(tables[0])


def test_few_moments_are_enough_each_block_has_lists_of_its_own(
    fitted: FittedRank, tables: tuple[ListTable, ListTable]
) -> None:
    examples = tables[0].examples
    moments, sizes = np.unique(examples.row, return_counts=True)
    assert len(moments) == TINY.moments
    assert fitted.rows["stack"] == sizes[-1]
    assert fitted.rows["tune"] == sizes[-2]
    assert fitted.rows["refit"] == len(examples)


def test_nothing_is_fitted_to_choose_what_is_settled(
    tables: tuple[ListTable, ListTable],
) -> None:
    told: list[str] = []
    rank = fit(tables[0], lambda what, _: told.append(what))
    assert "rank choose: jenn" in told
    assert "rank choose: lightgbm" not in told
    assert {"rank stack: lightgbm", "rank refit: lightgbm"} <= set(told)
    assert rank.iterations["lightgbm"] == 10


def test_probabilities_are_those_of_all_candidates_not_of_the_examples(
    fitted: FittedRank, tables: tuple[ListTable, ListTable]
) -> None:
    some, everything = tables[0].examples, tables[1].examples
    assert some.labels.mean() > 1.5 * everything.labels.mean()
    # Of the latest moment, nearest to what is served: as users know more, less is new to them.
    latest = everything.row == everything.row.max()
    for kind, ensemble in fitted.task.ensembles.items():
        of_kind = latest & (tables[1].new_only == (kind is Novelty.NEW_ONLY))
        batch = everything.features.take(np.flatnonzero(of_kind))
        said = ensemble.predict(batch, Profile.FULL).probabilities.mean()
        assert said == pytest.approx(everything.labels[of_kind].mean(), rel=0.3)


def test_a_task_that_was_kept_says_the_same(
    fitted: FittedRank, tables: tuple[ListTable, ListTable], tmp_path: Path
) -> None:
    fitted.task.save(tmp_path)
    batch = tables[0].examples.features
    loaded = RankTask.load(tmp_path, batch.columns, TRAINERS)
    for kind, ensemble in fitted.task.ensembles.items():
        np.testing.assert_array_equal(
            loaded.ensembles[kind].predict(batch, Profile.FULL).probabilities,
            ensemble.predict(batch, Profile.FULL).probabilities,
        )
    assert loaded.quotas == fitted.task.quotas


def test_lists_of_new_objects_have_stacks_and_quotas_of_their_own(fitted: FittedRank) -> None:
    task = fitted.task
    for novelty in Novelty:
        request = RecommendRequest(UserRef("u1"), novelty=novelty)
        kind = Novelty.NEW_ONLY if novelty is Novelty.NEW_ONLY else Novelty.ANY
        assert task.quotas_of(request) is task.quotas[kind]
        assert task.ensemble_of(request) is task.ensembles[kind]
    of_all, of_new = task.ensembles[Novelty.ANY], task.ensembles[Novelty.NEW_ONLY]
    assert of_all.members is of_new.members
    assert of_all.stacks != of_new.stacks
    assert set(task.quotas[Novelty.ANY]) == {source.name for source in SMALL_DOMAIN.stages.sources}


def test_a_kind_with_too_few_lists_has_the_stacks_of_both(
    fitted: FittedRank, tables: tuple[ListTable, ListTable]
) -> None:
    none_new = replace(tables[0], new_only=np.zeros(len(tables[0].new_only), bool))
    task = fit(none_new).task
    of_both = task.ensembles[Novelty.NEW_ONLY].stacks
    assert of_both == task.ensembles[Novelty.ANY].stacks
    assert of_both not in [ensemble.stacks for ensemble in fitted.task.ensembles.values()]


@pytest.mark.parametrize("content", ["", "{}", '{"full": {}}', '{"light": 1}'])
def test_damaged_stacks_of_new_objects_are_refused(
    fitted: FittedRank, tables: tuple[ListTable, ListTable], tmp_path: Path, content: str
) -> None:
    fitted.task.save(tmp_path)
    (tmp_path / "new_stacks.json").write_text(content, encoding="utf-8")
    with pytest.raises(BundleError):
        RankTask.load(tmp_path, tables[0].examples.features.columns, TRAINERS)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"any": {}}', '{"any": {"popular": "x"}, "new_only": {}}']
)
def test_damaged_quotas_are_refused(
    fitted: FittedRank, tables: tuple[ListTable, ListTable], tmp_path: Path, content: str
) -> None:
    fitted.task.save(tmp_path)
    (tmp_path / "quotas.json").write_text(content, encoding="utf-8")
    with pytest.raises(BundleError):
        RankTask.load(tmp_path, tables[0].examples.features.columns, TRAINERS)


def test_what_is_told_of_a_task_is_json_without_nan(fitted: FittedRank) -> None:
    unknown = replace(fitted, recall=dict.fromkeys(fitted.recall, float("nan")))
    told = json.loads(json.dumps(unknown.to_json(), allow_nan=False))
    assert told["recall_within_quotas"] == {"any": None, "new_only": None}
    assert told["lists"] == fitted.lists > 0
