"""The domain contract: what parameterises the core, one screen a domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.log import LabelRule, Outcome, TieRule
from core.readers import Readers
from core.recommend.contracts import Stages
from core.recommend.stories import StoryRules
from core.requests import GenreCapability
from core.schema import Schema
from core.training import Recipe


class Simulator(Protocol):
    """Writes a log of the domain that one of its readers reads."""

    def __call__(
        self,
        out: Path,
        *,
        events: int,
        seed: int,
        start_s: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> object:
        """Write into `out`, which must be new or empty: all files or none.

        The log begins at `start_s` (epoch seconds), by default at the simulator's own moment.
        """
        ...


class StoredGenre(GenreCapability, Protocol):
    """A genre capability that can be put into a bundle."""

    def save(self, directory: Path) -> None:
        """Write all files into an existing, empty directory; no pickles."""
        ...


class GenreBuilder(Protocol):
    """Makes and loads the genre part of a bundle."""

    def build(
        self, *, sounds: Path | None, seed: int, progress: Callable[[float], None] | None
    ) -> StoredGenre:
        """Index the sound library in the directory `sounds`; without one, the domain's own audio.

        InvalidDataError or BundleError when there is no library, or it cannot be read.
        """
        ...

    def load(self, directory: Path) -> StoredGenre:
        """Read what `save` wrote; BundleError when it cannot be read."""
        ...


@dataclass(frozen=True)
class Domain:
    """Everything the core must be told of a domain."""

    name: str
    schema: Schema
    outcomes: frozenset[Outcome]
    """What feedback may say."""
    label_rule: LabelRule
    tie_rule: TieRule
    readers: Readers
    simulators: Mapping[str, Simulator]
    """By the format they write, the usual one first."""
    stages: Stages
    """Sources, filters and rerankers, in order."""
    recipe: Recipe = field(default_factory=Recipe)
    content_name: str = "content"
    """What content vectors of its objects are made from, where a training run is given any."""
    genre: GenreBuilder | None = None
    """Optional capability: GenreNeighbor."""
    stories: StoryRules | None = None
    """Optional capability: soundtracks of stories."""


Domains = Mapping[str, Domain]
