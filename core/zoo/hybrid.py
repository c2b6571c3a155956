"""The hybrid: an MLP over a content and a collaborative embedding, with three activations."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from core.models.codebook import Codebook
from core.models.net_inputs import Standardiser
from core.state.columns import Columns, Family, FeatureBatch
from core.zoo.flat_net import FlatNet, dense_stack
from core.zoo.settings import ZooSettings


class Hybrid(FlatNet):
    """Content: attributes, counters and rates. Collaborative: latent vectors and free ids.

    Each side ends in K; the MLP sees both and their product.
    """

    activation: ClassVar[type[nn.Module]]

    def __init__(
        self, columns: Columns, zoo: ZooSettings, standardiser: Standardiser, codebook: Codebook
    ) -> None:
        super().__init__(columns, zoo, standardiser, codebook)
        is_latent = np.array([c.family is Family.LATENT for c in columns.numbers], bool)
        is_identity = np.array([c.is_identity for c in columns.codes], bool)
        self._latent, self._plain = np.flatnonzero(is_latent), np.flatnonzero(~is_latent)
        self._ids, self._attributes = np.flatnonzero(is_identity), np.flatnonzero(~is_identity)
        k, e = self.settings.width, self.settings.embedding
        self.content = self._side(len(self._plain) + len(self._attributes) * e)
        self.collaborative = self._side(len(self._latent) + len(self._ids) * e)
        self.deep = dense_stack([3 * k, 2 * k, k], self.settings.dropout, self.activation)
        self.head = nn.Linear(k, 1)

    def _side(self, width: int) -> nn.Sequential:
        k = self.settings.width
        return nn.Sequential(
            nn.Linear(width, 2 * k), self.activation(), nn.Linear(2 * k, k), self.activation()
        )

    def forward(self, batch: FeatureBatch) -> Tensor:
        """Logits (n,)."""
        numbers = self.numbers(batch)
        attributes: Tensor = self.code_table(batch.codes, self._attributes).flatten(1)
        ids: Tensor = self.code_table(batch.codes, self._ids).flatten(1)
        content = self.content(torch.cat([numbers[:, self._plain], attributes], dim=1))
        taste = self.collaborative(torch.cat([numbers[:, self._latent], ids], dim=1))
        both = torch.cat([content, taste, content * taste], dim=1)
        logits: Tensor = self.head(self.deep(both))
        return logits.squeeze(1)


class ReluHybrid(Hybrid):
    """With ReLU."""

    member = "hybrid_relu"
    activation = nn.ReLU


class SeluHybrid(Hybrid):
    """With SELU, whose layers start as self-normalising nets do (Klambauer et al., 2017)."""

    member = "hybrid_selu"
    activation = nn.SELU

    def __init__(
        self, columns: Columns, zoo: ZooSettings, standardiser: Standardiser, codebook: Codebook
    ) -> None:
        super().__init__(columns, zoo, standardiser, codebook)
        # Ordinary dropout would undo the normalisation, and so would much of its own kind.
        self.deep[-1] = nn.AlphaDropout(self.settings.dropout / 5)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
                nn.init.zeros_(layer.bias)


class EluHybrid(Hybrid):
    """With ELU."""

    member = "hybrid_elu"
    activation = nn.ELU
