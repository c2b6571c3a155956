"""The JSON beside a member's weights: its settings and the columns that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.errors import BundleError
from core.state.columns import Columns


def write_description(path: Path, columns: Columns, content: Mapping[str, Any]) -> None:
    """Write `content` and the columns' layout as JSON."""
    described = {**content, "columns": asdict(columns)}
    path.write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_description(path: Path, columns: Columns) -> dict[str, Any]:
    """What `write_description` wrote; BundleError unless it was written for these columns."""
    described = read_json(path)
    if "columns" not in described:
        raise BundleError(f"{path.name} lacks 'columns': the member is damaged, publish it anew")
    # Through JSON and back, so that tuples and enums compare as they were written.
    expected = json.loads(json.dumps(asdict(columns)))
    _refuse_other_columns(path, described.pop("columns"), expected)
    return described


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object; BundleError when it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path.name} cannot be read ({error}): publish the bundle anew"
        ) from error
    if not isinstance(content, dict):
        raise BundleError(f"{path.name} is no JSON object: publish the bundle anew")
    return content


def _refuse_other_columns(
    path: Path, trained: Mapping[str, list[object]], expected: Mapping[str, list[object]]
) -> None:
    if trained == expected:
        return
    for kind in ("numbers", "codes"):
        for position, (old, new) in enumerate(zip(trained[kind], expected[kind], strict=False)):
            if old != new:
                raise BundleError(
                    f"{path.parent.name} was trained on other columns: {kind}[{position}] was "
                    f"{old}, is now {new}. Train it anew"
                )
    sizes = [
        f"{len(c['numbers'])} numbers and {len(c['codes'])} codes" for c in (trained, expected)
    ]
    raise BundleError(
        f"{path.parent.name} was trained on {sizes[0]}, but there are {sizes[1]}: train it anew"
    )
