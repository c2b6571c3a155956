"""From feature columns to what nets take in: standardised numbers and embedded codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.mapped import gather
from core.models.base import drawn
from core.models.codebook import Codebook
from core.schema import Branch
from core.state.columns import Columns, Family, FeatureBatch

SAMPLE_ROWS = 100_000
"""Rows on which means and deviations are fitted: enough for three digits, 112 MB at 280 columns."""
CLIP = 5.0
"""Standardised numbers are kept within this many deviations."""


@dataclass(frozen=True)
class Standardiser:
    """Means and inverse deviations of the number columns, NaN left out.

    Attributes:
        mean: (columns,) float32.
        scale: (columns,) float32, 1 / deviation; 0 where a column is constant or unknown.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


def blank_standardiser(n_columns: int) -> Standardiser:
    """A place to load a fitted one into."""
    return Standardiser(np.zeros(n_columns, np.float32), np.zeros(n_columns, np.float32))


def fit_standardiser(numbers: NDArray[np.float32], seed: int) -> Standardiser:
    """Fit on at most SAMPLE_ROWS rows drawn from `numbers`, (n, columns)."""
    if len(numbers) > SAMPLE_ROWS:
        rows = drawn(seed, "standardiser").choice(len(numbers), SAMPLE_ROWS, replace=False)
        numbers = gather(numbers, np.sort(rows))
    mean = np.zeros(numbers.shape[1])
    deviation = np.zeros(numbers.shape[1])
    for index in range(numbers.shape[1]):
        column = numbers[:, index].astype(np.float64)
        known = column[np.isfinite(column)]
        if known.size:
            mean[index], deviation[index] = known.mean(), known.std()
    # Float32 rounding makes a constant column of large values look as if it varied a little.
    varies = deviation > 1e-6 * np.abs(mean) + 1e-12
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return Standardiser(mean.astype(np.float32), scale.astype(np.float32))


def logit_columns(columns: Columns) -> NDArray[np.intp]:
    """Number columns that are log-odds of the label already: a net may take them at face value."""
    return np.flatnonzero(
        [c.family is Family.ONLINE and c.name.endswith("_logit") for c in columns.numbers]
    )


class CodeTable(nn.Module):
    """Embeddings of the chosen code columns: one matrix, a stretch of rows per vocabulary.

    Which codes have a row of their own the codebook says; all others share row 0 of the stretch.
    """

    def __init__(
        self,
        columns: Columns,
        chosen: Sequence[int],
        width: int,
        codebook: Codebook,
        *,
        spread: float,
    ) -> None:
        super().__init__()
        vocabularies = list(dict.fromkeys(columns.codes[i].vocabulary for i in chosen))
        starts: dict[str, int] = {}
        lookups: list[NDArray[np.int64]] = []
        n_rows = n_codes = 0
        for vocabulary in vocabularies:
            rows = codebook.rows[vocabulary]
            starts[vocabulary] = n_codes
            lookups.append(rows.astype(np.int64) + n_rows)
            n_codes += len(rows)
            n_rows += codebook.size(vocabulary)
        self._starts = np.array([starts.get(c.vocabulary, 0) for c in columns.codes], np.int64)
        self._cardinalities = np.array([c.cardinality for c in columns.codes], np.int64)
        self._lookup = np.concatenate(lookups) if lookups else np.zeros(1, np.int64)
        self.width = width
        self.weight = nn.Parameter(torch.empty(max(1, n_rows), width))
        nn.init.uniform_(self.weight, -spread, spread)

    def forward(self, codes: NDArray[np.int32], chosen: NDArray[np.intp]) -> Tensor:
        """Embed columns `chosen` of codes (n, all columns) -> (n, len(chosen), width)."""
        picked = codes[:, chosen].astype(np.int64)
        picked[(picked < 0) | (picked >= self._cardinalities[chosen])] = 0
        rows = self._lookup[picked + self._starts[chosen]]
        return functional.embedding(torch.from_numpy(rows).to(self.weight.device), self.weight)


class BranchInput(nn.Module):
    """The inputs of one branch, side by side: its numbers standardised, its codes embedded.

    Single axes of vectors are left out: nets learn users and objects by heart from them, while
    the products of vectors are numbers of their own (docs/experiments.md).
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        columns: Columns,
        branch: Branch,
        *,
        codes: Sequence[int],
        embedding: int,
        standardiser: Standardiser,
    ) -> None:
        super().__init__()
        self._numbers = np.flatnonzero(
            [c.branch is branch and not c.is_axis for c in columns.numbers]
        )
        self._codes = np.array(
            [index for index in codes if columns.codes[index].branch is branch], np.intp
        )
        self.register_buffer("mean", torch.from_numpy(standardiser.mean[self._numbers]))
        self.register_buffer("scale", torch.from_numpy(standardiser.scale[self._numbers]))
        n_inputs = len(self._numbers) + len(self._codes) * embedding
        # A branch without columns still has its bias: it takes in a constant.
        self._is_empty = n_inputs == 0
        self.width = max(1, n_inputs)

    def forward(self, batch: FeatureBatch, table: CodeTable) -> Tensor:
        """Inputs (n, width), all finite, numbers within ±CLIP."""
        if self._is_empty:
            return self.mean.new_ones((len(batch), 1))
        numbers = torch.from_numpy(batch.numbers[:, self._numbers]).to(self.mean.device)
        # NaN (unknown) becomes the mean; infinities are clipped like any outlier.
        known = numbers.sub_(self.mean).mul_(self.scale).nan_to_num_(0.0).clamp_(-CLIP, CLIP)
        if not len(self._codes):
            return known
        return torch.cat([known, table(batch.codes, self._codes).flatten(1)], dim=1)
