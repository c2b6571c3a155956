"""The commands as processes: exit codes, and results apart from complaints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from server.cli.options import new_version

ROOT = Path(__file__).parents[3]
PYTHONPATH = os.pathsep.join(str(ROOT / part) for part in (".", "clients/python", "proto/gen"))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *(str(argument) for argument in arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_command_answers_on_stdout_and_reports_on_stderr(tmp_path: Path) -> None:
    done = run("simulate", "travel", "--out", tmp_path / "log", "--events", 400, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["domain"] == "travel"
    assert "simulate travel" in done.stderr


def test_a_refusal_exits_with_1_and_its_reason_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(
        "user_id,object_id,timestamp\nu,o,1\nu,,2\n", encoding="utf-8"
    )
    bundles = tmp_path / "bundles"
    done = run("train", "travel", "--data", tmp_path, "--bundles", bundles, "--recipe", "tiny")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "encore:" in done.stderr
    assert "events.csv:3" in done.stderr
    assert "Traceback" not in done.stderr
    assert not bundles.exists()


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    done = run("train", "travel", "--data", tmp_path, "--recipe", "best")
    assert done.returncode == 2
    assert "tiny" in done.stderr
    assert "Traceback" not in done.stderr


def test_versions_sort_by_time() -> None:
    assert len(new_version()) == len("20261122T101500Z")
    assert new_version() <= new_version()
