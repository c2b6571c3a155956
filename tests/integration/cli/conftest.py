"""Files that the commands read, and the commands in this process."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import domains
from core.errors import EncoreError
from server.cli import app

EVENTS = 6000
RECIPE = "tiny"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated log of shopping."""
    out = tmp_path_factory.mktemp("data") / "log"
    domains.DOMAINS["shopping"].simulators["generic"](out, events=EVENTS, seed=1)
    return out


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shopping is content with small blocks: for logs of seconds."""
    shopping = domains.DOMAINS["shopping"]
    small = replace(shopping, recipe=replace(shopping.recipe, min_rows=20))
    monkeypatch.setitem(domains.DOMAINS, "shopping", small)


@pytest.fixture
def encore() -> Callable[..., Result]:
    """Runs a command line as `encore` would, without the process."""

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(
            result.exception, SystemExit | EncoreError
        ):
            raise result.exception
        return result

    return run


@pytest.fixture
def plain() -> Callable[[str], str]:
    """Text without colours and line breaks of a terminal."""

    def strip(text: str) -> str:
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split())

    return strip
