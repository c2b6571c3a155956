"""`encore evaluate DOMAIN --what lists`, from files to figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import InvalidRequestError
from core.lists.baselines import BASELINES
from domains import domain_named
from server.cli import app


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lists") / "log"
    domain_named("shopping").simulators["generic"](directory, events=1500, seed=1)
    return directory


def test_every_baseline_is_tuned_and_judged(data: Path) -> None:
    arguments = ["evaluate", "shopping", "--data", str(data), "--what", "lists", "--cut", "120d"]

    result = CliRunner().invoke(app, [*arguments, "--baselines-only", "--json"])

    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    names = [baseline.name for baseline in BASELINES]
    assert report["cut"]["days_after_first_event"] == pytest.approx(120.0)
    assert len(report["figures"]) == 6  # two kinds of targets in three modes
    for part in report["figures"]:
        assert [row["name"] for row in part["recommenders"]] == names
    assert len(report["settings"]) == 3 * len(names)
    assert report["comparisons"] == []


def test_a_cut_outside_the_log_is_refused(data: Path) -> None:
    arguments = ["evaluate", "shopping", "--data", str(data), "--what", "lists", "--cut", "999d"]

    result = CliRunner().invoke(app, arguments)

    assert isinstance(result.exception, InvalidRequestError)
    assert "--cut" in str(result.exception)
