"""`encore demo`: from nothing to answers over gRPC, with no arguments needed."""

from __future__ import annotations


def demo() -> None:
    """Simulate, train, serve and ask."""
