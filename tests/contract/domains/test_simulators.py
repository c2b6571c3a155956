"""Every simulator writes logs that its domain reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core.domain import Domain
from core.errors import EncoreError, InvalidDataError
from core.readers import read_log
from core.sampling import DAY_S
from domains import DOMAINS


@pytest.fixture(scope="module", params=[(d, f) for d in DOMAINS for f in DOMAINS[d].simulators])
def simulated(request: pytest.FixtureRequest) -> tuple[Domain, str]:
    name, file_format = request.param
    return DOMAINS[name], file_format


def contents(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()
    }


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(
    simulated: tuple[Domain, str], tmp_path: Path
) -> None:
    domain, file_format = simulated
    simulator = domain.simulators[file_format]
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        simulator(tmp_path / name, events=1000, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "three")
    assert len(read_log(domain.readers, tmp_path / "one", file_format)) >= 1000


def test_a_simulated_log_may_begin_at_another_moment(
    simulated: tuple[Domain, str], tmp_path: Path
) -> None:
    domain, file_format = simulated
    simulator = domain.simulators[file_format]
    simulator(tmp_path / "plain", events=1000, seed=3)
    simulator(tmp_path / "moved", events=1000, seed=3, start_s=1.6e9)
    plain = read_log(domain.readers, tmp_path / "plain")
    moved = read_log(domain.readers, tmp_path / "moved")
    assert 1.6e9 <= moved.time_s[0] < 1.6e9 + 30 * DAY_S
    span = plain.time_s[-1] - plain.time_s[0]
    assert moved.time_s[-1] - moved.time_s[0] == pytest.approx(span, rel=0.1)


def test_progress_rises_to_the_end(simulated: tuple[Domain, str], tmp_path: Path) -> None:
    domain, file_format = simulated
    seen: list[float] = []
    domain.simulators[file_format](tmp_path / "log", events=1500, seed=0, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[0] < 1.0
    assert seen[-1] == 1.0


def test_simulators_write_into_new_or_empty_directories_alone(
    simulated: tuple[Domain, str], tmp_path: Path
) -> None:
    domain, file_format = simulated
    simulator = domain.simulators[file_format]
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(InvalidDataError, match=r"(?i)empty"):
        simulator(tmp_path, events=1000, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    simulator(tmp_path / "empty", events=1000, seed=0)
    assert any((tmp_path / "empty").iterdir())


def test_simulators_write_into_the_directory_one_stands_in(
    simulated: tuple[Domain, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain, file_format = simulated
    monkeypatch.chdir(tmp_path)
    domain.simulators[file_format](Path(), events=1000, seed=0)
    assert len(read_log(domain.readers, Path())) >= 1000
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(("events", "seed"), [(0, 0), (1000, -1)])
def test_simulators_refuse_what_makes_no_log(
    simulated: tuple[Domain, str], tmp_path: Path, events: int, seed: int
) -> None:
    domain, file_format = simulated
    with pytest.raises(EncoreError):
        domain.simulators[file_format](tmp_path / "log", events=events, seed=seed)
    assert list(tmp_path.iterdir()) == []
