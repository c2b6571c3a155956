"""Each member, each stack and the own past order the candidates of one request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.list_members import PAST, said
from core.ensemble import Profile
from core.lists.protocol import Mode, cut_lists, cut_of
from core.models import RECIPES
from core.ranking.at_cut import lists_at_cut
from core.ranking.settings import LISTS
from core.ranking.task import fit_rank_task
from core.requests import Novelty
from core.testing_domain import ONE_THREAD, SMALL_DOMAIN, small_log


@pytest.mark.parametrize("mode", [Mode.ALL, Mode.EXPLORE])
def test_what_is_compared_is_what_is_served(tmp_path: Path, mode: Mode) -> None:
    log = small_log(tmp_path / "log")
    task = cut_lists(log, cut_of(log, "0.8"))
    made = lists_at_cut(SMALL_DOMAIN, task, SMALL_DOMAIN.recipe, LISTS["tiny"], seed=0)
    rank = fit_rank_task(
        made.lists,
        SMALL_DOMAIN.recipe,
        LISTS["tiny"],
        RECIPES["tiny"](ONE_THREAD),
        source_limit=200,
        seed=0,
    )
    query, _, batch = next(made.pipeline(rank).unscored(task.users[:1], mode))
    found = said(rank.task, query.request, batch)
    new, of_all = (rank.task.ensembles[k] for k in (Novelty.NEW_ONLY, Novelty.ANY))
    served, other = (new, of_all) if mode is Mode.EXPLORE else (of_all, new)
    for profile in Profile:
        np.testing.assert_array_equal(found[profile.value], served.predict(batch, profile).logits)
    np.testing.assert_array_equal(
        found["full, the other kind's stack"], other.predict(batch).logits
    )
    for name, member in rank.task.ensembles[Novelty.ANY].members.items():
        np.testing.assert_array_equal(found[name], member.predict(batch))
    assert set(PAST) < set(found)
