"""`encore bench`: the commands end to end, each fit in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from core.zoo.ladder import RUNGS
from core.zoo.registry import NAMES

Encore = Callable[..., Result]
Plain = Callable[[str], str]


def bench(encore: Encore, what: str, data: Path, out: Path, *more: object) -> Result:
    options = ("--data", data, "--out", out, "--recipe", "tiny", "--threads", 1)
    result = encore("bench", what, "shopping", *options, *more)
    assert result.exit_code == 0, result.output
    return result


def test_models_writes_its_table_and_takes_finished_rows_from_an_earlier_run(
    encore: Encore, plain: Plain, data: Path, tmp_path: Path
) -> None:
    first = bench(encore, "models", data, tmp_path, "--only", "naive_bayes", "--json")
    content = json.loads(first.stdout)
    assert content == json.loads((tmp_path / "models.json").read_text("utf-8"))
    assert [row["name"] for row in content["models"]] == ["naive_bayes"]
    assert content["taken_from_an_earlier_run"] == []
    assert (tmp_path / "models.png").read_bytes().startswith(b"\x89PNG")

    again = bench(encore, "models", data, tmp_path, "--only", "naive_bayes")
    assert (tmp_path / "models.md").read_text("utf-8") in again.stdout
    assert "taken from an earlier run: naive_bayes" in plain(again.stdout)
    kept = json.loads((tmp_path / "models.json").read_text("utf-8"))
    assert kept["models"] == content["models"]


def test_a_model_that_is_not_in_the_zoo_is_refused_with_those_that_are(
    encore: Encore, plain: Plain, data: Path
) -> None:
    result = encore("bench", "models", "shopping", "--data", data, "--only", "oracle")
    assert result.exit_code == 2
    assert "oracle: choose from logistic_regression" in plain(result.output).replace("│ ", "")


def test_leaks_writes_the_ladder(encore: Encore, data: Path, tmp_path: Path) -> None:
    content = json.loads(bench(encore, "leaks", data, tmp_path, "--json").stdout)
    assert [rung["name"] for rung in content["rungs"]] == [rung.name for rung in RUNGS]
    rungs = {rung["name"]: rung for rung in content["rungs"]}
    assert rungs["counts"]["over_causal"]["low"] > 0.0
    assert (tmp_path / "leaks.md").read_text("utf-8").startswith("| LightGBM |")
    assert (tmp_path / "leaks.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_whole_zoo_runs(encore: Encore, data: Path, tmp_path: Path) -> None:
    content = json.loads(bench(encore, "models", data, tmp_path, "--json").stdout)
    names = [row["name"] for row in content["models"]]
    assert names == [*NAMES[:-1], "ensemble_full", "ensemble_light"]
    assert content["rival"] in names
