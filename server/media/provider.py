"""The port: who can say what an object looks like to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

UNAVAILABLE = "preview unavailable"


@dataclass(frozen=True)
class Media:
    """What is known of an object; empty where nothing is."""

    title: str = ""
    cover_url: str = ""
    preview_url: str = ""
    note: str = ""
    """What is missing, for people; empty when nothing is."""


NOTHING = Media(note=UNAVAILABLE)
"""Of an object that nothing is known of."""


class MediaProvider(Protocol):
    """Says what objects look like. Fails open: no answer waits for it, none fails with it."""

    async def media(self, domain: str, object_ids: Sequence[str]) -> Mapping[str, Media]:
        """Every id asked -> what is at hand within the provider's own small budget.

        Never raises, but when the caller is cancelled.
        """
        ...

    async def close(self) -> None:
        """Give up what is under way and close connections; nothing may be asked afterwards."""
        ...


class NoMedia:
    """The provider where none is set."""

    async def media(self, domain: str, object_ids: Sequence[str]) -> Mapping[str, Media]:
        """Nothing is known of anything."""
        del domain
        return dict.fromkeys(object_ids, NOTHING)

    async def close(self) -> None:
        """Nothing to close."""
