"""The README tells the truth about files and commands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli import app

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "clients/python/README.md", "clients/stories/README.md", "CHANGELOG.md")


def links(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"\]\(([^)#]+)\)|href=\"([^\"#]+)\"", text)
    targets = [markdown or html for markdown, html in found]
    return [target for target in targets if "://" not in target]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    missing = [link for link in links(page) if not ((ROOT / page).parent / link).exists()]
    assert not missing


def test_the_request_path_diagram_links_to_files() -> None:
    assert len(links("README.md")) >= 10


def test_every_command_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\.venv/bin/)?encore ([a-z-]+)", text, flags=re.MULTILINE))
    assert {"train", "evaluate", "serve", "simulate"} <= named
    for command in named:
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.exit_code == 0, command


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.split("<!-- test command -->")[1].split("<!-- end -->")[0]
    assert "pytest" in block
    assert "<!-- test command -->" in script
    assert subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=False).returncode == 0


def test_no_file_of_measuring_data_is_tracked() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    data = [path for path in tracked if path.endswith((".csv", ".gz", ".npz", ".parquet"))]
    assert data == [
        "domains/music/audio/clips/manifest.csv",
        "tests/unit/music_audio/data/musicnn.npz",  # of clips that ship with Encore
    ]


def test_the_readme_holds_a_table_of_every_real_log_with_its_command() -> None:
    results = (ROOT / "README.md").read_text(encoding="utf-8").split("## Results")[1]
    results = results.split("\n## ")[0]
    assert results.count("| ensemble, full | 0.") == 4
    scores, lists = (
        [line for line in results.splitlines() if ("--what lists" in line) == of_lists]
        for of_lists in (False, True)
    )
    assert sum(line.startswith("encore evaluate music --data DIR") for line in scores) == 3
    assert sum(line.startswith("encore evaluate shopping --data DIR") for line in scores) == 1
    assert sum(line.startswith("encore evaluate music --data DIR") for line in lists) == 1
