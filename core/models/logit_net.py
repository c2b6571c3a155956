"""What the training loop asks of a net."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from core.models.settings import NetSettings


class LogitNet(nn.Module):
    """A net from feature batches of n rows to logits (n,)."""

    member: ClassVar[str]
    """Its name in reports of progress."""
    settings: NetSettings

    def tables(self) -> list[nn.Parameter]:
        """The embedding tables, which have a weight decay of their own."""
        raise NotImplementedError
