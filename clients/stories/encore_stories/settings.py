"""What an operator can set: environment variables with the prefix STORIES_, or arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Settings of one backend process; `STORIES_PORT=8080` sets `port`.

    Raises:
        ValueError: a number is out of range.
    """

    encore: str = "localhost:50051"
    """Where Encore's RecommenderService is."""
    domain: str = "music"
    """Its domain."""
    host: str = "127.0.0.1"
    """Address on which this backend listens."""
    port: int = 8080
    """Port of this backend."""
    outbox: Path = Path("stories-outbox.sqlite3")
    """File that keeps feedback until Encore has it."""
    outbox_events: int = 100_000
    """Events that it holds at most; further ones are refused with 503."""
    fallback_tracks: tuple[str, ...] = ()
    """Popular royalty-free tracks, for when Encore cannot be asked and nothing is cached; in the
    environment separated by commas."""
    runners_up: int = 4
    """Tracks beside the pick, 0 to 99."""
    timeout_s: float = 1.0
    """Longest wait for a soundtrack from Encore."""
    fresh_s: float = 300.0
    """A cached soundtrack is served without asking so long."""
    stale_s: float = 86_400.0
    """A cached soundtrack is kept so long for when Encore cannot be asked."""
    cached_soundtracks: int = 50_000
    """Soundtracks kept at most."""
    failures_to_open: int = 5
    """After so many failed calls in a row Encore is left alone,"""
    open_s: float = 5.0
    """for so long; then one call tries."""
    deliver_s: float = 2.0
    """Seconds between tries to deliver feedback that waits."""

    def __post_init__(self) -> None:
        if not 0 <= self.runners_up <= 99:
            raise ValueError(f"runners_up must be 0 to 99, got {self.runners_up}")
        for name in ("timeout_s", "fresh_s", "stale_s", "open_s", "deliver_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0 seconds, got {getattr(self, name)}")
        for name in ("outbox_events", "cached_soundtracks", "failures_to_open"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables; what is not set keeps its default.

        Raises:
            ValueError: a value cannot be read, or a variable names no setting.
        """
        given = os.environ if environment is None else environment
        known = {f"STORIES_{field.name.upper()}": field for field in fields(cls)}
        values: dict[str, object] = {}
        for name, text in given.items():
            if not name.startswith("STORIES_"):
                continue
            if name not in known:
                raise ValueError(f"{name} is not a setting: use one of {', '.join(known)}")
            values[known[name].name] = _parsed(known[name].default, name, text)
        return cls(**values)  # type: ignore[arg-type]


def _parsed(default: object, name: str, text: str) -> object:
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    kind = type(default) if isinstance(default, int | float | str) else Path
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"{name} cannot be read as {kind.__name__}: got {text!r}") from error
