"""Results that are kept as they come, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import core
from core.zoo.protocol import Measured, Plan


def fingerprint(name: str, table_digest: str, plan: Plan) -> str:
    """SHA-256 over everything that a result follows from: data, settings, seed and code."""
    stated = {"name": name, "table": table_digest, "plan": asdict(plan), "code": _code_digest()}
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


@cache
def _code_digest() -> str:
    """Of the modules that fit and measure: a result of other code is not taken for this one's."""
    root = Path(core.__file__).parent
    total = hashlib.sha256()
    for path in sorted([*root.glob("*.py"), *root.glob("models/*.py"), *root.glob("zoo/*.py")]):
        total.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


@dataclass(frozen=True)
class Shelf:
    """A directory with two files a row: `NAME.json` and `NAME.npy`, the probabilities."""

    directory: Path

    def put(self, row: Measured, mark: str) -> None:
        """Keep a row under its fingerprint; the JSON comes last, so half a result is none."""
        content = {k: v for k, v in asdict(row).items() if k != "probabilities"}
        document = {"fingerprint": mark, **content}
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{row.name}.json"
        path.unlink(missing_ok=True)
        np.save(path.with_suffix(".npy"), row.probabilities)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)

    def take(self, name: str, mark: str) -> Measured | None:
        """The row if it was made under this fingerprint; anything else is no row."""
        path = self.directory / f"{name}.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("fingerprint") != mark:
                return None
            return Measured(**content, probabilities=np.load(path.with_suffix(".npy")))
        except (OSError, ValueError, KeyError, TypeError):
            return None
