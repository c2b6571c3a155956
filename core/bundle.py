"""The bundle: one immutable, versioned directory with all that serving needs; no pickles."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import BundleError
from core.schema import ContentSpace, Schema
from core.state.columns import Columns
from core.state.layout import columns_of

MANIFEST = "manifest.json"
FORMAT = 6
"""Raised when the layout of the directory changes."""

Writer = Callable[[Path], None]
"""Writes one part of a bundle into an existing, empty directory."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself."""

    domain: str
    version: str
    schema_fingerprint: str
    cardinalities: Mapping[str, int]
    """Vocabulary -> codes that the members were built for."""
    watermark: int
    """Sequence of the last feedback row in the state; 0 for none."""
    clock_offset_s: float
    """Added to the state's clock gives epoch seconds; 0 where the log has a real clock."""
    content: Mapping[str, Any]
    """Data window, metrics, seeds, notes, versions: for people and reports."""
    files: Mapping[str, str]
    """Relative path -> SHA-256."""
    content_space: ContentSpace | None = None
    """Of the content vectors in the state; None for none."""

    def schema_of(self, declared: Schema) -> Schema:
        """The schema of the training run, from the one that the domain declares."""
        return declared.with_content(self.content_space)

    def columns(self, declared: Schema) -> Columns:
        """The layout of the batches that the members take."""
        return columns_of(self.schema_of(declared), self.cardinalities)


_KINDS: Mapping[str, type] = {
    "domain": str,
    "version": str,
    "schema_fingerprint": str,
    "cardinalities": dict,
    "watermark": int,
    "clock_offset_s": float,
    "content": dict,
    "files": dict,
}
"""Fields of a manifest and what JSON must say of them."""
_KINDS_WITHIN: Mapping[str, type] = {"cardinalities": int, "files": str}


def write_bundle(
    root: Path,
    *,
    domain: str,
    version: str,
    schema: Schema,
    cardinalities: Mapping[str, int],
    watermark: int,
    clock_offset_s: float,
    content: Mapping[str, Any],
    parts: Mapping[str, Writer],
) -> Path:
    """Write all parts below a temporary name, hash, fsync and rename; returns the directory.

    Args:
        root: directory of all bundles; the bundle becomes `root/domain/version`.
        parts: relative directory -> what writes it.

    Raises:
        BundleError: the version exists already.
    """
    target = root / domain / version
    if target.exists():
        raise _exists(target)
    temporary = target.with_name(f".{version}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for name, write in parts.items():
            directory = temporary / name
            directory.mkdir(parents=True)
            write(directory)
        manifest = {
            "format": FORMAT,
            "domain": domain,
            "version": version,
            "schema_fingerprint": schema.fingerprint,
            "cardinalities": dict(cardinalities),
            "watermark": watermark,
            "clock_offset_s": clock_offset_s,
            "content": dict(content),
            "files": _hashes(temporary),
        }
        if schema.content is not None:
            manifest["content_space"] = asdict(schema.content)
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (temporary / MANIFEST).write_text(text + "\n", encoding="utf-8")
        _sync_tree(temporary)
        try:
            temporary.rename(target)
        except OSError as error:
            if not target.exists():
                raise
            raise _exists(target) from error  # another writer was quicker
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _exists(target: Path) -> BundleError:
    return BundleError(f"bundle {target} exists already: versions are never written twice")


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest alone; BundleError when it is missing or damaged."""
    path = directory / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read ({error}): publish the bundle anew") from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        got = raw.get("format") if isinstance(raw, dict) else raw
        raise BundleError(f"{path} has format {got!r}, this version reads {FORMAT}: publish anew")
    for name, kind in _KINDS.items():
        if name not in raw:
            raise BundleError(f"{path} lacks {name!r}: publish the bundle anew")
        value = raw[name]
        of_kind = isinstance(value, kind) and not isinstance(value, bool)
        if of_kind and name in _KINDS_WITHIN:
            of_kind = all(isinstance(part, _KINDS_WITHIN[name]) for part in value.values())
        if not of_kind:
            raise BundleError(f"{path} has {name} of another kind: publish the bundle anew")
    return Manifest(
        **{name: raw[name] for name in _KINDS},
        content_space=_content_space(path, raw.get("content_space")),
    )


def _content_space(path: Path, raw: object) -> ContentSpace | None:
    """None where the manifest says nothing of content."""
    if raw is None:
        return None
    try:
        if isinstance(raw, dict) and isinstance(raw["size"], int) and isinstance(raw["name"], str):
            return ContentSpace(raw["name"], raw["size"])
    except (KeyError, ValueError) as error:
        raise BundleError(f"{path} has no such content space: {error}") from error
    raise BundleError(f"{path} has content_space of another kind: publish the bundle anew")


def open_bundle(directory: Path, *, domain: str, schema: Schema) -> Manifest:
    """Check that a bundle is whole and fits, before anything of it is loaded.

    `schema` is the one that the domain declares.

    Raises:
        BundleError: another domain or schema, a file missing, added or changed. Names the file.
    """
    manifest = read_manifest(directory)
    if manifest.domain != domain:
        raise BundleError(f"{directory} is of domain {manifest.domain!r}, not {domain!r}")
    if manifest.schema_fingerprint != manifest.schema_of(schema).fingerprint:
        raise BundleError(
            f"{directory} was made for another schema of {domain}: train it anew with this version"
        )
    found = _hashes(directory)
    for name in sorted(manifest.files.keys() | found.keys()):
        if manifest.files.get(name) != found.get(name):
            problem = "is missing" if name not in found else "is not what was published"
            raise BundleError(f"{directory / name} {problem}: restore or publish the bundle anew")
    return manifest


def latest_version(root: Path, domain: str) -> Path:
    """The bundle of a domain that was published last, by the order of version names.

    Raises:
        BundleError: there is none.
    """
    directory = root / domain
    versions = _versions(directory)
    if not versions:
        raise BundleError(f"no bundle in {directory}: run `encore train {domain} --data DIR` first")
    return versions[-1]


def has_bundle(root: Path, domain: str) -> bool:
    """Whether a bundle of the domain was ever published whole."""
    return bool(_versions(root / domain))


def _versions(directory: Path) -> list[Path]:
    return sorted(p for p in directory.glob("[!.]*") if (p / MANIFEST).is_file())


def _hashes(directory: Path) -> dict[str, str]:
    manifest = directory / MANIFEST
    files = sorted(p for p in directory.rglob("*") if p.is_file() and p != manifest)
    return {str(path.relative_to(directory)): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_tree(directory: Path) -> None:
    for path in directory.rglob("*"):
        _sync(path)
    _sync(directory)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
