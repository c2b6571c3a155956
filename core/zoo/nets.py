"""Published nets: MLP, Wide & Deep, DeepFM and a 1-D CNN over the listening sequence."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.branched_net import CODE_SPREAD
from core.models.codebook import Codebook
from core.models.net_inputs import CodeTable, Standardiser
from core.schema import Branch
from core.state.columns import Columns, FeatureBatch
from core.zoo.flat_net import FlatNet, dense_stack
from core.zoo.settings import ZooSettings
from core.zoo.trail import CANDIDATE, TRAIL


class Mlp(FlatNet):
    """Three dense ReLU layers over all columns."""

    member = "mlp"

    def __init__(
        self, columns: Columns, zoo: ZooSettings, standardiser: Standardiser, codebook: Codebook
    ) -> None:
        super().__init__(columns, zoo, standardiser, codebook)
        k = self.settings.width
        self.deep = dense_stack([self.flat_width, 2 * k, 2 * k, k], self.settings.dropout)
        self.head = nn.Linear(k, 1)

    def forward(self, batch: FeatureBatch) -> Tensor:
        """Logits (n,)."""
        logits: Tensor = self.head(self.deep(self.flat(batch)))
        return logits.squeeze(1)


class WideDeep(Mlp):
    """Wide & Deep (Cheng et al., 2016): a linear part with crossed categories beside an MLP.

    Crossed are the context's categories with those of the object and of the user, hashed into
    buckets.
    """

    member = "wide_deep"

    def __init__(
        self, columns: Columns, zoo: ZooSettings, standardiser: Standardiser, codebook: Codebook
    ) -> None:
        super().__init__(columns, zoo, standardiser, codebook)
        self.code_weights = CodeTable(columns, self.codes.tolist(), 1, codebook, spread=0.0)
        self.number_weights = nn.Linear(self.n_numbers, 1)
        known = [(i, c) for i, c in enumerate(columns.codes) if not c.is_identity]
        asked = [i for i, c in known if c.branch is Branch.CONTEXT]
        others = [i for i, c in known if c.branch is not Branch.CONTEXT]
        self._crossed = np.array(list(product(asked, others)), np.int64).reshape(-1, 2)
        self._buckets = zoo.crosses
        self.cross_weights = nn.Parameter(torch.zeros(zoo.crosses, 1))

    def forward(self, batch: FeatureBatch) -> Tensor:
        """Logits (n,)."""
        linear: Tensor = self.number_weights(self.numbers(batch)).squeeze(1)
        weights: Tensor = self.code_weights(batch.codes, self.codes).sum(dim=(1, 2))
        return super().forward(batch) + linear + weights + self._crosses(batch)

    def _crosses(self, batch: FeatureBatch) -> Tensor:
        left = batch.codes[:, self._crossed[:, 0]].astype(np.int64)
        right = batch.codes[:, self._crossed[:, 1]].astype(np.int64)
        pair = np.arange(len(self._crossed), dtype=np.int64)
        bucket = (left * 1_000_003 + right * 7919 + pair * 104_729) % self._buckets
        rows = torch.from_numpy(bucket).to(self.mean.device)
        total: Tensor = functional.embedding(rows, self.cross_weights).sum(dim=(1, 2))
        return total

    def tables(self) -> list[nn.Parameter]:
        """The embedding tables, the crossed weights among them."""
        return [*super().tables(), self.cross_weights]


class DeepFm(FlatNet):
    """DeepFM (Guo et al., 2017): a factorisation machine and an MLP over the same embeddings.

    A number is a field whose vector is scaled by its standardised value.
    """

    member = "deepfm"

    def __init__(
        self, columns: Columns, zoo: ZooSettings, standardiser: Standardiser, codebook: Codebook
    ) -> None:
        super().__init__(columns, zoo, standardiser, codebook)
        k = self.settings.width
        self.number_vectors = nn.Parameter(torch.empty(self.n_numbers, self.settings.embedding))
        nn.init.uniform_(self.number_vectors, -CODE_SPREAD, CODE_SPREAD)
        self.code_weights = CodeTable(columns, self.codes.tolist(), 1, codebook, spread=0.0)
        self.number_weights = nn.Linear(self.n_numbers, 1)
        self.deep = dense_stack([self.flat_width, 2 * k, 2 * k, k], self.settings.dropout)
        self.head = nn.Linear(k, 1)

    def forward(self, batch: FeatureBatch) -> Tensor:
        """Logits (n,)."""
        numbers, codes = self.numbers(batch), self.embeddings(batch)
        # Sums over fields, without laying every number's vector out.
        total = codes.sum(dim=1) + numbers @ self.number_vectors
        squares = codes.square().sum(dim=1) + numbers.square() @ self.number_vectors.square()
        pairs = 0.5 * (total.square() - squares).sum(dim=1)
        linear: Tensor = self.number_weights(numbers).squeeze(1)
        weights: Tensor = self.code_weights(batch.codes, self.codes).sum(dim=(1, 2))
        deep: Tensor = self.head(self.deep(torch.cat([numbers, codes.flatten(1)], dim=1)))
        return linear + weights + pairs + deep.squeeze(1)


class SequenceCnn(FlatNet):
    """Convolutions over the embeddings of the user's last objects, beside all other columns.

    Needs the columns of `core.zoo.trail`. What the convolutions find is pooled over the sequence
    and also multiplied with the candidate's embedding.
    """

    member = "sequence_cnn"

    def __init__(
        self, columns: Columns, zoo: ZooSettings, standardiser: Standardiser, codebook: Codebook
    ) -> None:
        super().__init__(columns, zoo, standardiser, codebook)
        trail = [i for i, c in enumerate(columns.codes) if c.vocabulary == TRAIL]
        self._past = np.array([i for i in trail if columns.codes[i].name != CANDIDATE], np.intp)
        self._own = np.array([i for i in trail if columns.codes[i].name == CANDIDATE], np.intp)
        self._rest = np.setdiff1d(self.codes, trail)
        k = self.settings.width
        self.sequence_table = CodeTable(columns, trail, k, codebook, spread=CODE_SPREAD)
        self.convolutions = nn.Sequential(
            nn.Conv1d(k, k, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv1d(k, k, kernel_size=3, padding=1),
        )
        width = self.n_numbers + len(self._rest) * self.settings.embedding + 3 * k
        self.deep = dense_stack([width, 2 * k, k], self.settings.dropout)
        self.head = nn.Linear(k, 1)

    def forward(self, batch: FeatureBatch) -> Tensor:
        """Logits (n,)."""
        past: Tensor = self.sequence_table(batch.codes, self._past)
        own: Tensor = self.sequence_table(batch.codes, self._own)[:, 0]
        found: Tensor = self.convolutions(past.transpose(1, 2))
        pooled = functional.relu(found.amax(dim=2))
        rest: Tensor = self.code_table(batch.codes, self._rest).flatten(1)
        parts = [self.numbers(batch), rest, own, pooled, own * pooled]
        logits: Tensor = self.head(self.deep(torch.cat(parts, dim=1)))
        return logits.squeeze(1)
