"""Bundles as directories: written whole or not at all, refused by name when anything differs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.bundle import (
    FORMAT,
    MANIFEST,
    Writer,
    latest_version,
    open_bundle,
    read_manifest,
    write_bundle,
)
from core.errors import BundleError
from core.schema import ContentSpace, Schema
from core.testing_logs import SMALL_SCHEMA

OTHER_SCHEMA = replace(SMALL_SCHEMA, outcome_half_life_s=1.0)


def writes(name: str, text: str) -> Writer:
    def write(directory: Path) -> None:
        assert directory.is_dir()
        assert not list(directory.iterdir())
        (directory / name).write_text(text, encoding="utf-8")

    return write


PARTS: Mapping[str, Writer] = {
    "state": writes("counts.txt", "3"),
    "tasks/score": writes("weights.txt", "0.5"),
}


def written(
    root: Path,
    version: str = "v1",
    parts: Mapping[str, Writer] = PARTS,
    content: Mapping[str, Any] | None = None,
    schema: Schema = SMALL_SCHEMA,
) -> Path:
    return write_bundle(
        root,
        domain="small",
        version=version,
        schema=schema,
        cardinalities={"user": 3},
        watermark=7,
        clock_offset_s=0.0,
        content=content or {"seed": 1},
        parts=parts,
    )


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_bundle_says_what_it_is_and_what_files_it_has(tmp_path: Path) -> None:
    directory = written(tmp_path)
    assert directory == tmp_path / "small" / "v1"
    manifest = open_bundle(directory, domain="small", schema=SMALL_SCHEMA)
    assert (manifest.domain, manifest.version, manifest.watermark) == ("small", "v1", 7)
    assert manifest.schema_fingerprint == SMALL_SCHEMA.fingerprint
    assert manifest.cardinalities == {"user": 3}
    assert manifest.content == {"seed": 1}
    assert sorted(manifest.files) == ["state/counts.txt", "tasks/score/weights.txt"]
    assert everything(directory) == [MANIFEST, *sorted(manifest.files)]


def test_equal_parts_make_equal_bytes(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a"), written(tmp_path / "b")
    for name in everything(one):
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize("failing", sorted(PARTS))
def test_a_part_that_fails_leaves_nothing_behind(tmp_path: Path, failing: str) -> None:
    def fail(directory: Path) -> None:
        (directory / "half.txt").write_text("half", encoding="utf-8")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        written(tmp_path, parts={**PARTS, failing: fail})
    assert list((tmp_path / "small").iterdir()) == []
    with pytest.raises(BundleError, match="no bundle in"):
        latest_version(tmp_path, "small")
    assert written(tmp_path).is_dir()


def test_a_manifest_with_nan_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        written(tmp_path, content={"roc_auc": float("nan")})
    assert list((tmp_path / "small").iterdir()) == []


def test_a_version_is_never_written_twice(tmp_path: Path) -> None:
    directory = written(tmp_path)
    before = {name: (directory / name).read_bytes() for name in everything(directory)}
    with pytest.raises(BundleError, match="exists already"):
        written(tmp_path, parts={"state": writes("counts.txt", "4")})
    assert {name: (directory / name).read_bytes() for name in everything(directory)} == before
    assert [path.name for path in directory.parent.iterdir()] == ["v1"]


def test_of_two_writers_of_one_version_the_first_wins_and_the_other_is_told(tmp_path: Path) -> None:
    def meanwhile(directory: Path) -> None:
        (directory / "counts.txt").write_text("late", encoding="utf-8")
        there = tmp_path / "small" / "v1"
        there.mkdir()
        (there / "first").touch()

    with pytest.raises(BundleError, match="exists already"):
        written(tmp_path, parts={"state": meanwhile})
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["v1"]
    assert everything(tmp_path / "small" / "v1") == ["first"]


def test_a_killed_writer_leaves_only_a_hidden_directory_that_nobody_takes_for_a_bundle(
    tmp_path: Path,
) -> None:
    code = f"""
import os, signal
from pathlib import Path
from core.bundle import write_bundle
from core.testing_logs import SMALL_SCHEMA
def die(directory):
    (directory / "half.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
write_bundle(Path({str(tmp_path)!r}), domain="small", version="v1", schema=SMALL_SCHEMA,
             cardinalities={{}}, watermark=0, clock_offset_s=0.0, content={{}},
             parts={{"state": die}})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert killed.returncode == -9
    left = [path.name for path in (tmp_path / "small").iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".v1.")
    with pytest.raises(BundleError, match="encore train small"):
        latest_version(tmp_path, "small")
    directory = written(tmp_path)
    assert latest_version(tmp_path, "small") == directory


def test_the_latest_version_is_the_last_by_name_that_is_whole(tmp_path: Path) -> None:
    for version in ("20260102T000000Z", "20260101T000000Z"):
        written(tmp_path, version)
    (tmp_path / "small" / "20260103T000000Z").mkdir()
    (tmp_path / "small" / "notes.txt").touch()
    assert latest_version(tmp_path, "small").name == "20260102T000000Z"


Damage = Callable[[Path], None]
DAMAGES: Mapping[str, tuple[str, Damage]] = {
    "changed": ("state/counts.txt", lambda d: _write(d / "state/counts.txt", "4")),
    "cut": ("tasks/score/weights.txt", lambda d: _write(d / "tasks/score/weights.txt", "0.")),
    "missing": ("state/counts.txt", lambda d: (d / "state/counts.txt").unlink()),
    "added": ("state/extra.txt", lambda d: _write(d / "state/extra.txt", "")),
    "added hidden": ("state/.extra", lambda d: _write(d / "state/.extra", "")),
    "added as a manifest": (
        f"state/{MANIFEST}",
        lambda d: _write(d / "state" / MANIFEST, "{}"),
    ),
    "renamed": (
        "tasks/score/weights.bin",
        lambda d: _move(d / "tasks/score/weights.txt", d / "tasks/score/weights.bin"),
    ),
}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _move(path: Path, to: Path) -> None:
    path.rename(to)


@pytest.mark.parametrize("what", sorted(DAMAGES))
def test_a_file_that_is_not_what_was_published_is_named(tmp_path: Path, what: str) -> None:
    directory = written(tmp_path)
    name, damage = DAMAGES[what]
    damage(directory)
    with pytest.raises(BundleError) as caught:
        open_bundle(directory, domain="small", schema=SMALL_SCHEMA)
    assert str(directory / name) in str(caught.value)
    assert ("is missing" in str(caught.value)) == (what == "missing")


def test_another_domain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="of domain 'small', not 'music'"):
        open_bundle(written(tmp_path), domain="music", schema=SMALL_SCHEMA)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="another schema of small: train it anew"):
        open_bundle(written(tmp_path), domain="small", schema=OTHER_SCHEMA)


def test_a_bundle_of_a_run_with_content_fits_the_declared_schema_and_names_its_space(
    tmp_path: Path,
) -> None:
    told = SMALL_SCHEMA.with_content(ContentSpace("sound", 3))
    directory = written(tmp_path, schema=told)
    manifest = open_bundle(directory, domain="small", schema=SMALL_SCHEMA)
    assert manifest.content_space == told.content
    assert manifest.schema_of(SMALL_SCHEMA) == told
    with pytest.raises(BundleError, match="another schema of small: train it anew"):
        open_bundle(directory, domain="small", schema=OTHER_SCHEMA)


def test_a_bundle_whose_space_was_changed_is_refused(tmp_path: Path) -> None:
    directory = written(tmp_path, schema=SMALL_SCHEMA.with_content(ContentSpace("sound", 3)))
    manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    for space in ({"name": "sound", "size": 4}, {"name": "text", "size": 3}, None):
        text = json.dumps({**manifest, "content_space": space})
        (directory / MANIFEST).write_text(text, encoding="utf-8")
        with pytest.raises(BundleError, match="another schema"):
            open_bundle(directory, domain="small", schema=SMALL_SCHEMA)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read"),
        ("", "cannot be read"),
        ('{"format": 4, "dom', "cannot be read"),
        ("[]", r"has format \[\]"),
        ("null", "has format None"),
        ("{}", "has format None"),
        ('{"format": 2}', f"has format 2, this version reads {FORMAT}"),
        (f'{{"format": {FORMAT}}}', "lacks 'domain'"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    path = written(tmp_path) / MANIFEST
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=problem) as caught:
        read_manifest(path.parent)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("files", None),
        ("files", ["state/counts.txt"]),
        ("cardinalities", 3),
        ("cardinalities", {"user": "many"}),
        ("watermark", "7"),
        ("version", None),
        ("content", []),
        ("content_space", "sound"),
        ("content_space", {"name": "sound"}),
        ("content_space", {"name": "sound", "size": "3"}),
        ("content_space", {"name": "sound", "size": 65}),
    ],
)
def test_a_manifest_with_a_value_of_another_kind_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    path = written(tmp_path) / MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, name: value}), encoding="utf-8")
    with pytest.raises(BundleError, match=name.replace("_", "[_ ]")):
        read_manifest(path.parent)
