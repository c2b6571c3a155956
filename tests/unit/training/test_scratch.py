"""A table of examples that lies on disk: the same bits as in memory, and nothing left behind."""

from __future__ import annotations

import resource
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from core.examples import ExampleTable, replay_examples
from core.log import EventLog
from core.mapped import is_mapped
from core.models import RECIPES
from core.scratch import Scratch, ScratchError, collect_rows
from core.testing import synthetic_columns
from core.testing_domain import ONE_THREAD
from core.testing_logs import new_state, random_tables
from core.training import Recipe, evaluate, fit_as_of

RECIPE = Recipe(trainers="tiny", min_rows=20, base_share=0.15, tune_share=0.15, stack_share=0.15)
TRAINERS = RECIPES["tiny"](ONE_THREAD)


def log_with_gaps() -> EventLog:
    """Positions count within users, so that the rows of a block do not lie together."""
    tables = random_tables(0, n_events=3000, n_users=90, n_objects=40, given_labels=True)
    events = tables.events
    place = events.groupby("user_id").cumcount().to_numpy(np.float64)
    count = events.groupby("user_id")["user_id"].transform("count").to_numpy(np.float64)
    events["is_example"] = True
    events["position"] = place / count
    events["matures_position"] = (place + 3) / count
    return tables.log()


def table_of(log: EventLog, scratch: Scratch | None) -> ExampleTable:
    return replay_examples(
        log, new_state(), base_share=0.15, test_start=RECIPE.test_start, seed=0, scratch=scratch
    )


@pytest.fixture(scope="module")
def log() -> EventLog:
    return log_with_gaps()


@pytest.fixture(scope="module")
def in_memory(log: EventLog) -> ExampleTable:
    return table_of(log, None)


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Everything goes to disk."""
    return Scratch(tmp_path, in_memory_bytes=0)


def test_a_table_on_disk_holds_the_same_bits(
    log: EventLog, in_memory: ExampleTable, scratch: Scratch
) -> None:
    on_disk = table_of(log, scratch)
    assert is_mapped(on_disk.features.numbers)
    assert is_mapped(on_disk.features.codes)
    assert not is_mapped(in_memory.features.numbers)
    assert on_disk.features.numbers.tobytes() == in_memory.features.numbers.tobytes()
    assert on_disk.features.codes.tobytes() == in_memory.features.codes.tobytes()
    for field in fields(ExampleTable):
        value = getattr(in_memory, field.name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(on_disk, field.name), value)


def test_members_fitted_from_disk_are_those_fitted_from_memory(
    log: EventLog, in_memory: ExampleTable, scratch: Scratch, tmp_path: Path
) -> None:
    on_disk = table_of(log, scratch)
    saved, evaluations = [], []
    for name, table in (("memory", in_memory), ("disk", on_disk)):
        fitted = fit_as_of(table, RECIPE.test_start, RECIPE, TRAINERS, seed=0)
        (tmp_path / name).mkdir()
        fitted.ensemble.save(tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        saved.append({str(p.relative_to(tmp_path / name)): p.read_bytes() for p in files})
        evaluations.append(evaluate(log, table, fitted.ensemble, RECIPE, seed=0))
    assert saved[0] == saved[1]
    for figures in ("ensembles", "masked"):
        memory, disk = (getattr(evaluation, figures) for evaluation in evaluations)
        assert {p: f.to_json() for p, f in memory.items()} == {
            p: f.to_json() for p, f in disk.items()
        }
    np.testing.assert_array_equal(evaluations[0].probabilities, evaluations[1].probabilities)


def test_rows_with_gaps_are_copied_to_disk_and_rows_without_are_a_view(
    log: EventLog, in_memory: ExampleTable, scratch: Scratch
) -> None:
    on_disk = table_of(log, scratch)
    apart = np.arange(len(on_disk)) % 3 == 0
    taken = on_disk.take(apart)
    assert is_mapped(taken.features.numbers)
    assert not np.shares_memory(taken.features.numbers, on_disk.features.numbers)
    np.testing.assert_array_equal(taken.features.numbers, in_memory.features.numbers[apart])
    np.testing.assert_array_equal(taken.features.codes, in_memory.features.codes[apart])
    together = (np.arange(len(on_disk)) >= 100) & (np.arange(len(on_disk)) < 200)
    assert np.shares_memory(on_disk.batch(together).numbers, on_disk.features.numbers)
    assert len(on_disk.take(np.zeros(len(on_disk), bool))) == 0


def test_the_directory_never_shows_a_file(log: EventLog, scratch: Scratch) -> None:
    table = table_of(log, scratch)
    assert list(scratch.directory.iterdir()) == []
    assert table.features.numbers[-1].shape == (len(table.features.columns.numbers),)


def test_features_that_fit_stay_in_memory(log: EventLog, tmp_path: Path) -> None:
    table = table_of(log, Scratch(tmp_path, in_memory_bytes=1 << 30))
    assert not is_mapped(table.features.numbers)


def test_a_table_that_the_disk_cannot_hold_is_refused_before_the_replay(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("core.scratch.shutil.disk_usage", lambda _: usage)
    begun: list[str] = []
    with pytest.raises(ScratchError, match=r"GB on disk.*GB free.*--scratch"):
        replay_examples(
            log,
            new_state(),
            base_share=0.15,
            test_start=RECIPE.test_start,
            seed=0,
            scratch=Scratch(tmp_path, in_memory_bytes=0),
            progress=lambda what, _: begun.append(what),
        )
    assert begun == []


def test_a_disk_that_is_full_before_its_time_is_named(tmp_path: Path) -> None:
    collected = collect_rows(synthetic_columns(), 10, Scratch(tmp_path, in_memory_bytes=0))
    numbers, codes = collected.room(10)
    numbers[:], codes[:] = 0.0, 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        collected.keep(10)  # is written meanwhile
        with pytest.raises(ScratchError, match=r"cannot be kept.*make room there"):
            collected.batch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    missing = Scratch(tmp_path / "nowhere", in_memory_bytes=0)
    with pytest.raises(ScratchError, match=r"nowhere.*another directory with --scratch"):
        collect_rows(synthetic_columns(), 10, missing)
