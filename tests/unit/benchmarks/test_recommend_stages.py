"""Every stage of a list is timed, for every user."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.past_lists import unranked
from benchmarks.recommend_stages import summary, time_lists
from core.lists.protocol import Mode, cut_lists, cut_of
from core.ranking.at_cut import lists_at_cut
from core.ranking.settings import LISTS
from core.testing_domain import SMALL_DOMAIN, small_log


@pytest.mark.parametrize("mode", [Mode.ALL, Mode.EXPLORE])
def test_every_stage_is_timed_for_every_user(tmp_path: Path, mode: Mode) -> None:
    log = small_log(tmp_path / "log")
    task = cut_lists(log, cut_of(log, "0.8"))
    made = lists_at_cut(SMALL_DOMAIN, task, SMALL_DOMAIN.recipe, LISTS["tiny"], seed=0)
    users = task.users[:4].tolist()
    timings = time_lists(unranked(made), users, mode)
    assert {"candidates", "columns", "popular"} <= set(timings)
    assert len(timings["candidates"]) == len(timings["columns"]) == len(users)
    for median, high in summary(timings).values():
        assert 0.0 < median <= high
