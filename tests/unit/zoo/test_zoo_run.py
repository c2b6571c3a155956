"""A run of the zoo: one protocol for all, results that are kept, a rival chosen on tune."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import core.zoo.run as runs
from core.ensemble import Profile
from core.errors import CapabilityMissingError
from core.evaluation import auc
from core.log import EventLog
from core.models.base import Progress
from core.publish import evaluate_log
from core.testing_domain import ONE_THREAD, SMALL_DOMAIN, small_log
from core.zoo.child import Job, run_job
from core.zoo.figures import zoo_figures
from core.zoo.plot import LABEL_HEIGHT, free_place, plot_zoo
from core.zoo.protocol import Measured, Plan, peak_bytes
from core.zoo.report import zoo_markdown, zoo_report
from core.zoo.run import check_libraries, rival_of, run_zoo
from core.zoo.settings import ZOO_SETTINGS, RowLimits

QUICK = ("naive_bayes", "decision_tree")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return small_log(tmp_path_factory.mktemp("log") / "log", events=4000)


PLAN = Plan(SMALL_DOMAIN.recipe, ZOO_SETTINGS["tiny"], ONE_THREAD, seed=0)


class Fits:
    """Fits in this process, notes which, and stops before `stop_at`."""

    def __init__(self, stop_at: str = "") -> None:
        self.names: list[str] = []
        self._stop_at = stop_at

    def __call__(self, job: Job, progress: Progress | None) -> list[Measured]:
        if job.name == self._stop_at:
            raise KeyboardInterrupt
        self.names.append(job.name)
        return run_job(job, progress)


def run(
    log: EventLog, out: Path, names: Sequence[str], fits: Fits, plan: Plan = PLAN
) -> runs.ZooRun:
    return run_zoo(SMALL_DOMAIN, log, plan, out, names, fit=fits)


def test_the_ensemble_of_the_zoo_is_the_one_that_evaluate_measures(
    log: EventLog, tmp_path: Path
) -> None:
    found = run(log, tmp_path, ["naive_bayes", "ensemble"], Fits())
    figures = {row.name: row.figures for row in found.rows}
    assert list(figures) == ["naive_bayes", "ensemble_full", "ensemble_light"]
    expected = evaluate_log(
        SMALL_DOMAIN, log, SMALL_DOMAIN.recipe, ONE_THREAD, seed=0
    ).evaluation.ensembles
    for profile in Profile:
        told = figures[f"ensemble_{profile.value}"]
        assert told["roc_auc"] == expected[profile].roc_auc
        assert told["roc_auc_low"] == expected[profile].roc_auc_low
        assert told["log_loss"] == expected[profile].log_loss
        assert found.test_rows == expected[profile].rows
    assert set(found.differences) == {"naive_bayes", "ensemble_light"}
    assert found.rival == "naive_bayes"
    first, full = figures["naive_bayes"]["roc_auc"], figures["ensemble_full"]["roc_auc"]
    assert first is not None
    assert full is not None
    assert found.differences["naive_bayes"].difference == pytest.approx(full - first)
    for row in found.rows:
        assert row.tune_auc is not None
        assert row.peak_bytes > 0
        assert row.fit_s > 0
        assert row.ms_per_100_rows > 0

    report = zoo_report("small", found, PLAN, ["simulated"])
    assert report == json.loads(json.dumps(report))
    text = zoo_markdown(report)
    assert "Gaussian naive Bayes (rival)" in text
    assert text.count("\n| ensemble, ") == 2
    assert "- simulated" in text
    plot_zoo(report, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_run_goes_on_where_it_was(log: EventLog, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(log, tmp_path, QUICK, Fits(stop_at="decision_tree"))
    assert not (tmp_path / "table").exists()
    fits = Fits()
    found = run(log, tmp_path, QUICK, fits)
    assert fits.names == ["decision_tree"]
    assert found.kept == ["naive_bayes"]
    afresh = run(log, tmp_path / "other", QUICK, Fits())
    for row, expected in zip(found.rows, afresh.rows, strict=True):
        assert row.figures == expected.figures
        np.testing.assert_array_equal(row.probabilities, expected.probabilities)


def test_results_of_other_settings_or_damaged_ones_are_not_taken(
    log: EventLog, tmp_path: Path
) -> None:
    names = ["naive_bayes"]
    run(log, tmp_path, names, Fits())
    for plan in (replace(PLAN, seed=1), replace(PLAN, settings=ZOO_SETTINGS["quick"])):
        fits = Fits()
        assert run(log, tmp_path, names, fits, plan).kept == []
        assert fits.names == names
    (tmp_path / "models" / "naive_bayes.json").write_text("{", encoding="utf-8")
    assert run(log, tmp_path, names, Fits()).kept == []
    (tmp_path / "models" / "naive_bayes.npy").unlink()
    assert run(log, tmp_path, names, Fits()).kept == []
    assert run(log, tmp_path, names, Fits()).kept == names


def test_slow_methods_are_fitted_on_the_latest_rows_as_many_as_stated(
    log: EventLog, tmp_path: Path
) -> None:
    plan = replace(PLAN, settings=replace(PLAN.settings, limits=RowLimits().capped(100)))
    found = run(log, tmp_path, QUICK, Fits(), plan)
    fitted = {row.name: row.fitted_rows for row in found.rows}
    assert fitted == {"naive_bayes": found.blocks["refit"], "decision_tree": 100}


def row_of(name: str, tune_auc: float | None) -> Measured:
    return Measured(name, name, {}, tune_auc, 1, 1, 1.0, 1, 1.0, np.zeros(1))


def test_the_rival_is_best_on_tune_and_never_the_ensemble() -> None:
    rows = [
        row_of("mlp", 0.6),
        row_of("xgboost", 0.7),
        row_of("jenn", None),
        row_of("ensemble_full", 0.9),
    ]
    assert rival_of(rows) == "xgboost"
    assert rival_of(rows[2:]) is None


def test_a_missing_library_is_named_before_anything_is_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    check_libraries(["naive_bayes"])
    with pytest.raises(CapabilityMissingError, match="extra `bench`"):
        check_libraries(["naive_bayes", "xgboost"])


def test_figures_at_the_threshold_by_hand() -> None:
    labels = np.array([1, 1, 1, 0, 0], np.int8)
    said = np.array([0.9, 0.5, 0.2, 0.7, 0.1])
    found = zoo_figures(labels, said, np.arange(5, dtype=np.int32), seed=0)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["roc_auc"] == pytest.approx(auc(labels, said))


def test_a_model_that_never_says_yes_has_no_precision_and_no_warning() -> None:
    labels = np.array([1, 0], np.int8)
    found = zoo_figures(labels, np.array([0.2, 0.1]), np.arange(2, dtype=np.int32), seed=0)
    assert (found["precision"], found["recall"], found["f1"]) == (0.0, 0.0, 0.0)


def test_the_peak_of_a_process_is_at_least_what_it_has_touched() -> None:
    before = peak_bytes()
    held = np.ones(40_000_000 // 8)
    assert peak_bytes() >= max(before, held.nbytes)


def test_a_label_moves_up_until_it_covers_no_other() -> None:
    assert free_place((10.0, 20.0), []) == (10.0, 20.0)
    assert free_place((10.0, 20.0), [(500.0, 20.0)]) == (10.0, 20.0)
    across, up = free_place((10.0, 20.0), [(12.0, 21.0), (10.0, 32.0)])
    assert across == 10.0
    assert up >= 32.0 + LABEL_HEIGHT
