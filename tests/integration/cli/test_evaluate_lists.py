"""Lists of the pipeline, made as it would have been published at a cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from core.ensemble import Profile
from core.lists.protocol import ListTask, Mode, cut_lists, cut_of, history_log
from core.log import EventLog
from core.ranking.at_cut import pipeline_at_cut
from core.ranking.recommender import Pipeline, PipelineLists, ScoredLists
from core.testing_domain import ONE_THREAD, SMALL_DOMAIN, small_log

USERS = 12


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return small_log(tmp_path_factory.mktemp("lists") / "log")


@pytest.fixture(scope="module")
def task(log: EventLog) -> ListTask:
    return cut_lists(log, cut_of(log, "0.8"))


def pipeline_of(task: ListTask) -> Pipeline:
    return pipeline_at_cut(SMALL_DOMAIN, task, SMALL_DOMAIN.recipe, ONE_THREAD, seed=0)


@pytest.fixture(scope="module")
def pipeline(task: ListTask) -> Pipeline:
    return pipeline_of(task)


def test_what_comes_after_the_cut_changes_no_list(
    log: EventLog, task: ListTask, pipeline: Pipeline
) -> None:
    after = np.setdiff1d(np.arange(len(log)), task.history)
    other = log.object_index.copy()
    other[after] = np.random.default_rng(0).permutation(other[after])
    told = replace(task, log=replace(log, object_index=other))
    assert not np.array_equal(told.log.object_index, log.object_index)
    users = task.users[:USERS]
    lists = PipelineLists("a", ScoredLists(pipeline)).recommend(users, 20, Mode.ALL)
    again = PipelineLists("b", ScoredLists(pipeline_of(told))).recommend(users, 20, Mode.ALL)
    assert np.array_equal(lists, again)


def test_lists_hold_what_their_mode_allows(task: ListTask, pipeline: Pipeline) -> None:
    scored = ScoredLists(pipeline)
    history = history_log(task)
    users = task.users[:USERS]
    for mode in Mode:
        lists = PipelineLists("encore", scored).recommend(users, 10, mode)
        for user, listed in zip(users.tolist(), lists, strict=True):
            objects = listed[listed >= 0]
            had = np.isin(objects, history.object_index[history.user_index == user])
            assert len(np.unique(objects)) == len(objects) > 0
            assert mode is Mode.ALL or (had == (mode is Mode.REPEAT)).all()


def test_lists_that_are_kept_hold_nothing_of_what_sources_read(
    task: ListTask, pipeline: Pipeline
) -> None:
    # Numbers of all objects for each user would fill memory long before the last user.
    for made in ScoredLists(pipeline).of(task.users[:USERS], Mode.ALL):
        assert made.query.once("history", lambda: None) is None


def test_rerankers_and_profiles_rank_the_same_candidates(
    task: ListTask, pipeline: Pipeline
) -> None:
    scored, users = ScoredLists(pipeline), task.users[:USERS]
    plain = PipelineLists("encore", scored).recommend(users, 500, Mode.ALL)
    light = PipelineLists("light", scored, profile=Profile.LIGHT).recommend(users, 500, Mode.ALL)
    rerankers = SMALL_DOMAIN.stages.rerankers
    capped = PipelineLists("cap", scored, rerankers, {"max_per_facet": 1})
    assert np.array_equal(np.sort(plain, axis=1), np.sort(light, axis=1))
    facet = task.log.objects.columns[SMALL_DOMAIN.schema.main_facet]
    for listed in capped.recommend(users, 500, Mode.ALL):
        values = [value for value in facet[listed[listed >= 0]].tolist() if value]
        assert len(set(values)) == len(values)


def test_the_command_judges_the_pipeline_beside_the_baselines(
    data: Path, encore: Callable[..., Result]
) -> None:
    arguments = ("evaluate", "shopping", "--data", data, "--what", "lists", "--recipe", "tiny")
    result = encore(*arguments, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    names = [row["name"] for row in report["figures"][0]["recommenders"]]
    assert {"encore", "encore, light", "encore, cap 1", "encore, diversity 0.3"} <= set(names)
    assert report["rank_task"]["lists"] > 0
    for table in report["sources"].values():
        together = [source["together"]["500"] for source in table]
        assert together == sorted(together)
        assert {"own_past", "als", "popular"} & {source["name"] for source in table}
