"""What a training run asks of the machine: a device, and a disk for large tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from core.errors import CapabilityMissingError, EncoreError, InvalidRequestError
from core.examples import replay_examples
from core.scratch import Scratch
from server.cli.options import scratch_in

Encore = Callable[..., Result]
COMMANDS = ("train", "evaluate")


def refused(result: Result) -> EncoreError:
    assert isinstance(result.exception, EncoreError), result.output
    return result.exception


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_gpu_is_refused_before_the_log_is_read(
    encore: Encore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    missing = tmp_path / "no log"
    error = refused(encore(command, "shopping", "--data", missing, "--device", "cuda"))
    assert isinstance(error, CapabilityMissingError)
    assert "--device" in str(error)
    assert str(missing) not in str(error)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_scratch_directory_that_is_not_there_is_refused_before_the_log_is_read(
    encore: Encore, tmp_path: Path, command: str
) -> None:
    missing = tmp_path / "nowhere"
    error = refused(encore(command, "shopping", "--data", tmp_path, "--scratch", missing))
    assert isinstance(error, InvalidRequestError)
    assert "--scratch" in str(error)
    assert str(missing) in str(error)


def test_large_tables_go_to_the_directory_that_was_named(
    encore: Encore, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Scratch | None] = []

    def watched(*arguments: object, scratch: Scratch | None = None, **named: object) -> object:
        given.append(scratch)
        return replay_examples(*arguments, scratch=scratch, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("core.publish.replay_examples", watched)
    options = ("--data", data, "--recipe", "tiny", "--scratch", tmp_path)
    assert encore("evaluate", "shopping", *options).exit_code == 0
    assert given == [Scratch(tmp_path)]
    assert list(tmp_path.iterdir()) == []


def test_without_a_name_they_go_where_tmpdir_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert scratch_in(None).directory == tmp_path
    monkeypatch.delenv("TMPDIR")
    assert scratch_in(None).directory.is_dir()
