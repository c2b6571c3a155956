"""The generated code is what the contract generates, and the contract is clean."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "proto" / "gen"


def files(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for pattern in ("*.py", "*.pyi")
        for path in directory.rglob(pattern)
        if path.name != "__init__.py"
    }


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    script = str(ROOT / "proto" / "generate.py")
    # protoc finds the mypy plugin on the path, where it is only in an activated environment
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    subprocess.run(
        [sys.executable, script, str(tmp_path)], check=True, env={**os.environ, "PATH": path}
    )
    assert files(tmp_path) == files(GENERATED)


def test_buf_has_nothing_to_say_about_the_contract() -> None:
    buf = Path(sys.executable).with_name("buf")
    command = str(buf) if buf.exists() else shutil.which("buf")
    assert command, "buf is missing: install the dev extra"
    done = subprocess.run([command, "lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
