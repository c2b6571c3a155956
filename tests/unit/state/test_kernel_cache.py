"""Compiled kernels never outlive their sources."""

from __future__ import annotations

from pathlib import Path

from core.state.kernel_cache import drop_stale


def package(folder: Path) -> Path:
    (folder / "families" / "__pycache__").mkdir(parents=True)
    (folder / "writing.py").write_text("A = 1\n")
    (folder / "families" / "static.py").write_text("B = 1\n")
    return folder


def compiled(folder: Path) -> Path:
    cached = folder / "families" / "__pycache__" / "static.read-1.py311.nbi"
    cached.write_bytes(b"compiled")
    return cached


def test_an_edit_of_any_file_drops_the_kernels_of_all(tmp_path: Path) -> None:
    folder = package(tmp_path)
    drop_stale(folder)
    cached = compiled(folder)
    (folder / "writing.py").write_text("A = 2\n")
    assert drop_stale(folder)
    assert not cached.exists()


def test_without_an_edit_they_stay(tmp_path: Path) -> None:
    folder = package(tmp_path)
    drop_stale(folder)
    cached = compiled(folder)
    assert not drop_stale(folder)
    assert cached.exists()


def test_a_place_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    folder = package(tmp_path)
    (folder / "__pycache__").write_text("a file where the folder would be")
    assert not drop_stale(folder)
