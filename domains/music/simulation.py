"""The simulated world of music as the core's contract has it, one simulator a file format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.domain import Simulator
from domains.music.simulator import LogFormat, World, simulate
from domains.music.simulator.world import DEFAULT_START_S


@dataclass(frozen=True)
class WorldLog:
    """Lets a world live and writes its log in one format."""

    format: LogFormat

    def __call__(
        self,
        out: Path,
        *,
        events: int,
        seed: int,
        start_s: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> World:
        """`events` first plays; the generic format has their repeats on top."""
        return simulate(
            out,
            events=events,
            seed=seed,
            format=self.format,
            start_s=DEFAULT_START_S if start_s is None else int(start_s),
            progress=progress,
        )


SIMULATORS: Mapping[str, Simulator] = {"kkbox": WorldLog("kkbox"), "generic": WorldLog("generic")}
