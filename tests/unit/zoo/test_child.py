"""A fit in a process of its own: what becomes of one that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.state.columns import Columns
from core.testing_domain import ONE_THREAD, SMALL_DOMAIN
from core.zoo.child import FitFailedError, Job, run_apart
from core.zoo.protocol import Plan
from core.zoo.settings import ZOO_SETTINGS


def test_a_fit_that_fails_says_which_and_why(tmp_path: Path) -> None:
    plan = Plan(SMALL_DOMAIN.recipe, ZOO_SETTINGS["tiny"], ONE_THREAD, seed=0)
    nowhere = Job("naive_bayes", plan, tmp_path / "nowhere", Columns((), ()), Columns((), ()))
    with pytest.raises(FitFailedError, match="naive_bayes could not be fitted: FileNotFoundError"):
        run_apart(nowhere)
