"""What the training loop asks of a net."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from core.models.settings import NetSettings
from core.state.columns import FeatureBatch


class LogitNet(nn.Module):
    """A net from feature batches of n rows to logits (n,)."""

    member: ClassVar[str]
    """Its name in reports of progress."""
    settings: NetSettings

    def votes(self, batch: FeatureBatch) -> Tensor:
        """Logits that are trained on their own (n, votes); their mean is what the net says."""
        logits: Tensor = self(batch)
        return logits[:, None]

    def tables(self) -> list[nn.Parameter]:
        """The embedding tables, which have a weight decay of their own."""
        raise NotImplementedError
