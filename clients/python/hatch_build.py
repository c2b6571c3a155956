"""Puts the generated encore.v1 code into the sdist and the wheel of the client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubsHook(BuildHookInterface[Any]):
    """Adds `encore`, from wherever this source tree has it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Adds the stubs to the files of the build.

        Args:
            version: Of the build target; all are alike.
            build_data: What hatchling packs; `force_include` maps sources to places within.

        Raises:
            FileNotFoundError: This is neither a checkout nor an unpacked sdist.
        """
        root = Path(self.root)
        # A static force-include could name only one of the two, and a missing one is an error.
        for stubs in (root / "encore", (root / "../../proto/gen/encore").resolve()):
            if (stubs / "v1").is_dir():
                build_data["force_include"][str(stubs)] = "encore"
                return
        raise FileNotFoundError(
            f"no generated code beside or above {root}: build from a checkout of the repository "
            "or from the sdist"
        )
