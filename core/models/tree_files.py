"""A member of trees on disk: what its library writes, checked before that library reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import BundleError
from core.models.member_files import read_description, write_description
from core.state.columns import Columns

_DESCRIPTION = "trees.json"


class SavedTrees(NamedTuple):
    """What `write_trees` wrote."""

    trees: bytes
    categories: tuple[str, ...]
    settings: dict[str, Any]


def write_trees(
    directory: Path,
    file: str,
    trees: bytes,
    columns: Columns,
    *,
    member: str,
    categories: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Write the trees to `file`, with a description that knows their checksum."""
    (directory / file).write_bytes(trees)
    content = {
        "member": member,
        "settings": dict(settings),
        "categories": list(categories),
        "trees_sha256": hashlib.sha256(trees).hexdigest(),
    }
    write_description(directory / _DESCRIPTION, columns, content)


def read_trees(directory: Path, file: str, columns: Columns, *, member: str) -> SavedTrees:
    """Read what `write_trees` wrote; libraries abort the whole process over a truncated file.

    Raises:
        BundleError: damaged, or of another member or other columns.
        OSError, KeyError, TypeError: files or fields are missing.
    """
    content = read_description(directory / _DESCRIPTION, columns)
    if content["member"] != member:
        raise BundleError(f"{directory.name} holds {content['member']}, not {member}")
    trees = (directory / file).read_bytes()
    if hashlib.sha256(trees).hexdigest() != content["trees_sha256"]:
        raise BundleError(f"{file} is damaged: publish the bundle anew")
    categories = tuple(str(name) for name in content["categories"])
    return SavedTrees(trees, categories, content["settings"])
