"""Which lists of the past the rank task learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ListSettings:
    """How many lists are made, and what is kept of them."""

    moments: int = 16
    """Moments at which lists are made; what sources look up is fitted anew at each.

    Where they are few, the last is the stack block and the one before it the tune block; lists
    before that must have matured by then."""
    lists: int = 24_000
    """Lists at most, over all moments."""
    explore_share: float = 0.4
    """Share of the lists that hold only what the user never had."""
    stranger_share: float = 0.05
    """Share of the lists that are made as if nothing of the user's past were known: else no model
    would have seen a new user."""
    described_share: float = 0.75
    """Share of those that have the user's attributes. Users of whom nothing is known are all alike,
    so that few lists tell what they want; what attributes say takes some dozens."""
    negative_share: float = 0.1
    """Share of a list's candidates that were not taken which is kept, drawn at random."""
    proposals: int = 600
    """What the learned quotas of all sources may add up to."""


LISTS: Mapping[str, ListSettings] = {
    "standard": ListSettings(),
    "quick": ListSettings(
        moments=4, lists=1600, stranger_share=0.1, negative_share=0.15, proposals=400
    ),
    "tiny": ListSettings(
        moments=5, lists=200, stranger_share=0.2, negative_share=0.2, proposals=200
    ),
}
"""By the name of the member settings that go with them."""
