"""What the zoo's nets share: all columns side by side, embedded or standardised, no branches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from core.models.base import Examples, Progress, check_blocks
from core.models.branched_net import CODE_SPREAD
from core.models.codebook import Codebook, fit_codebook
from core.models.logit_net import LogitNet
from core.models.net_inputs import CLIP, CodeTable, Standardiser, fit_standardiser
from core.models.net_training import predict_rows, train_net
from core.models.settings import Compute
from core.state.columns import Columns, FeatureBatch
from core.zoo.settings import ZooSettings


class FlatNet(LogitNet):
    """Inputs of a net without branches; children add `forward`."""

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        columns: Columns,
        zoo: ZooSettings,
        standardiser: Standardiser,
        codebook: Codebook,
    ) -> None:
        super().__init__()
        self.settings = zoo.net
        self.codes = np.arange(len(columns.codes), dtype=np.intp)
        self.n_numbers = len(columns.numbers)
        self.code_table = CodeTable(
            columns, self.codes.tolist(), zoo.net.embedding, codebook, spread=CODE_SPREAD
        )
        self.register_buffer("mean", torch.from_numpy(standardiser.mean))
        self.register_buffer("scale", torch.from_numpy(standardiser.scale))

    def numbers(self, batch: FeatureBatch) -> Tensor:
        """Standardised numbers (n, numbers), unknown ones at the mean, within ±CLIP."""
        raw = torch.from_numpy(np.array(batch.numbers, np.float32)).to(self.mean.device)
        return raw.sub_(self.mean).mul_(self.scale).nan_to_num_(0.0).clamp_(-CLIP, CLIP)

    def embeddings(self, batch: FeatureBatch) -> Tensor:
        """Embedded codes (n, codes, embedding)."""
        embedded: Tensor = self.code_table(batch.codes, self.codes)
        return embedded

    @property
    def flat_width(self) -> int:
        """Width of `flat`."""
        return self.n_numbers + len(self.codes) * self.settings.embedding

    def flat(self, batch: FeatureBatch) -> Tensor:
        """Numbers and embedded codes side by side (n, flat_width)."""
        return torch.cat([self.numbers(batch), self.embeddings(batch).flatten(1)], dim=1)

    def tables(self) -> list[nn.Parameter]:
        """The embedding tables, which have a weight decay of their own."""
        return [m.weight for m in self.modules() if isinstance(m, CodeTable)]


def dense_stack(
    widths: list[int], dropout: float, activation: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Dense layers from width to width, each with its activation, dropout at the end."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers, nn.Dropout(dropout))


@dataclass(frozen=True)
class NetScorer:
    """A fitted net."""

    net: FlatNet
    epochs: int

    def iterations(self) -> int:
        """Epochs that were fitted."""
        return self.epochs

    def probabilities(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """(n,), see `Scorer`."""
        probabilities: NDArray[np.float64] = expit(predict_rows(self.net, batch))
        return probabilities


@dataclass(frozen=True)
class FlatNetTrainer:
    """Fits nets of one architecture in the loop of the members."""

    net: type[FlatNet]
    settings: ZooSettings
    compute: Compute

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> NetScorer:
        """Fit on `train`; iterations are epochs."""
        check_blocks(train, tune, iterations)
        columns, device = train.features.columns, self.compute.torch_device()
        standardiser = fit_standardiser(train.features.numbers, seed)
        codebook = fit_codebook(columns, train.features.codes)
        devices = [] if device.type == "cpu" else [torch.cuda.current_device()]
        with self.compute.limited_threads(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            net = self.net(columns, self.settings, standardiser, codebook).to(device)
            epochs = train_net(
                net,
                train,
                tune,
                seed=seed,
                epochs=self.settings.net.max_epochs if iterations is None else iterations,
                progress=progress,
            )
        return NetScorer(net, epochs)
