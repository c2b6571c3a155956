from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CLIENT = ROOT / "clients" / "python"
STUBS = ROOT / "proto" / "gen" / "encore"

pytest.importorskip("hatchling")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The two folders that the distribution is made of, where a checkout has them."""
    leave_out = shutil.ignore_patterns("__pycache__", "dist")
    shutil.copytree(CLIENT, tmp_path / "checkout/clients/python", ignore=leave_out)
    shutil.copytree(STUBS, tmp_path / "checkout/proto/gen/encore", ignore=leave_out)
    return tmp_path / "checkout/clients/python"


def build(folder: Path, target: str) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (built,) = (folder / "dist").iterdir()
    return built


def modules_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources() -> set[str]:
    return {
        path.relative_to(base).as_posix()
        for base, package in ((CLIENT, "encore_client"), (STUBS.parent, "encore"))
        for path in (base / package).rglob("*")
        if path.suffix in {".py", ".pyi", ".typed"}
    }


def test_the_wheel_holds_the_client_and_the_stubs_and_nothing_else(checkout: Path) -> None:
    packed = modules_of(build(checkout, "wheel"))
    assert packed == sources()
    assert {"encore_client/py.typed", "encore/v1/recommender_service_pb2_grpc.py"} <= packed


def test_the_sdist_alone_builds_the_same_wheel(checkout: Path, tmp_path: Path) -> None:
    with tarfile.open(build(checkout, "sdist")) as archive:
        # Python 3.11.2, Debian 12's, knows no filters yet.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert modules_of(build(unpacked, "wheel")) == sources()


def test_the_unpacked_wheel_imports_without_the_rest_of_the_repository(
    checkout: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(build(checkout, "wheel")) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import sys, encore_client; print(encore_client.__file__); "
        "print(sorted({'core', 'server', 'domains', 'numpy', 'torch'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert Path(told[0]).is_relative_to(tmp_path / "site")
    assert told[1] == "[]"


def test_the_client_imports_the_contract_and_its_three_dependencies_only() -> None:
    imported = {
        name.split(".")[0]
        for path in (CLIENT / "encore_client").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {
        "encore",
        "encore_client",
        "google",
        "grpc",
        "grpc_status",
    }
