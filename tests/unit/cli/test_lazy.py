"""The list of commands costs nothing, and says of each what its own help says."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from server.cli import COMMANDS, app


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_is_the_first_paragraph_of_the_help(name: str) -> None:
    command = COMMANDS[name].load(name)
    assert command.name == name
    first = (command.help or "").strip().split("\n\n")[0]
    assert " ".join(first.split()) == COMMANDS[name].summary


def test_help_is_shown_before_any_library_is_imported() -> None:
    heavy = ("catboost", "lightgbm", "librosa", "numba", "pandas", "sklearn", "torch")
    told = (
        "import sys; from typer.testing import CliRunner; from server.cli import app;"
        "assert 'evaluate' in CliRunner().invoke(app, ['--help']).output;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_a_command_that_is_not_there_is_refused_with_the_nearest_name() -> None:
    result = CliRunner().invoke(app, ["evalute"])
    assert result.exit_code == 2
    assert "Did you mean 'evaluate'?" in result.output
