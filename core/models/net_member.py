"""Nets as members: fit, serve with split work, save as safetensors and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from core.errors import BundleError
from core.mapped import pieces
from core.models.base import Examples, Progress, check_blocks
from core.models.branched_net import BranchedNet
from core.models.codebook import Codebook, fit_codebook
from core.models.member_files import read_description, write_description
from core.models.net_inputs import blank_standardiser, fit_standardiser
from core.models.net_training import PREDICT_ROWS, train_net
from core.models.object_cache import ObjectCache
from core.models.settings import Compute, NetSettings
from core.state.columns import Columns, FeatureBatch

_WEIGHTS = "weights.safetensors"
_DESCRIPTION = "net.json"
_CODEBOOK = "codebook/"
"""Before the names of tensors that are rows of a vocabulary."""


class NetModel:
    """A trained net.

    The work of a request is split: the user branch runs once when `one_user` says so, object
    branches are kept per object key, and only the context branch and the joint part run per
    candidate.
    """

    def __init__(self, net: BranchedNet, columns: Columns, epochs: int) -> None:
        self._net = net.eval()
        self._columns = columns
        self._epochs = epochs
        settings = net.settings
        self._objects = ObjectCache(settings.object_cache, settings.width, net.tables()[0].device)

    @property
    def name(self) -> str:
        """The member's name."""
        return self._net.member

    def iterations(self) -> int:
        """Epochs that were fitted."""
        return self._epochs

    def predict(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """Logits (n,)."""
        net = self._net
        return self._rows(
            batch,
            lambda chunk, user, object_: (
                net.start(chunk) + net.joint(user, object_, net.context(chunk)).mean(dim=1)
            ),
        )

    def branch_cosines(self, batch: FeatureBatch) -> NDArray[np.float64]:
        """Cosines (n,) of user and object branch, in [-1, 1]; 0 where a branch says nothing."""
        cosines = self._rows(
            batch, lambda _, user, object_: functional.cosine_similarity(user, object_)
        )
        return np.clip(cosines, -1.0, 1.0)

    def _rows(
        self, batch: FeatureBatch, answer: Callable[[FeatureBatch, Tensor, Tensor], Tensor]
    ) -> NDArray[np.float64]:
        """One value a row (n,), from chunks and their user and object branches."""
        values = np.empty(len(batch))
        if not len(batch):
            return values
        with torch.inference_mode():
            user = self._net.user(batch.take(slice(0, 1))) if batch.one_user else None
            for rows, chunk in pieces(batch, PREDICT_ROWS):
                own = self._net.user(chunk) if user is None else user
                values[rows] = answer(chunk, own, self._object(chunk)).cpu().numpy()
        return values

    def _object(self, batch: FeatureBatch) -> Tensor:
        net = self._net
        if batch.object_keys is None:
            return net.object(batch)
        return self._objects.outputs(batch.object_keys, lambda rows: net.object(batch.take(rows)))

    def save(self, directory: Path) -> None:
        """Write the weights, standardiser included, and the description."""
        tensors = {n: t.detach().cpu().contiguous() for n, t in self._net.state_dict().items()}
        for vocabulary, rows in self._net.codebook.rows.items():
            tensors[_CODEBOOK + vocabulary] = torch.from_numpy(rows)
        save_file(tensors, directory / _WEIGHTS)
        content = {
            "member": self.name,
            "iterations": self._epochs,
            "settings": asdict(self._net.settings),
        }
        write_description(directory / _DESCRIPTION, self._columns, content)


@dataclass(frozen=True)
class NetTrainer:
    """Fits nets of one architecture."""

    net: type[BranchedNet]
    """The architecture."""
    settings: NetSettings
    """Its sizes and schedule."""
    compute: Compute = field(default_factory=Compute)
    """Where it runs."""

    @property
    def name(self) -> str:
        """The member's name."""
        return self.net.member

    def fit(
        self,
        train: Examples,
        tune: Examples | None,
        *,
        seed: int,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> NetModel:
        """Fit on `train`; iterations are epochs."""
        check_blocks(train, tune, iterations)
        columns, device = train.features.columns, self.compute.torch_device()
        standardiser = fit_standardiser(train.features.numbers, seed)
        codebook = fit_codebook(columns, train.features.codes)
        with self.compute.limited_threads(), _own_randomness(device, seed):
            net = self.net(columns, self.settings, standardiser, codebook).to(device)
            sample = np.linspace(0, len(train) - 1, min(len(train), PREDICT_ROWS)).astype(np.intp)
            rate = (float(train.labels.sum()) + 0.5) / (len(train) + 1.0)
            net.begin_at(rate, train.features.take(sample))
            epochs = train_net(
                net,
                train,
                tune,
                seed=seed,
                epochs=self.settings.max_epochs if iterations is None else iterations,
                progress=progress,
            )
        return NetModel(net, columns, epochs)

    def load(self, directory: Path, columns: Columns) -> NetModel:
        """Read what `save` wrote: with its own settings, on this trainer's device."""
        content = read_description(directory / _DESCRIPTION, columns)
        device = self.compute.torch_device()
        try:
            if content["member"] != self.name:
                raise BundleError(f"{directory.name} holds {content['member']}, not {self.name}")
            settings, epochs = NetSettings(**content["settings"]), int(content["iterations"])
            tensors = load_file(directory / _WEIGHTS)
            is_code = {name: name.startswith(_CODEBOOK) for name in tensors}
            rows = {n[len(_CODEBOOK) :]: t.numpy() for n, t in tensors.items() if is_code[n]}
            blank = blank_standardiser(len(columns.numbers))
            with _own_randomness(device, seed=0):
                net = self.net(columns, settings, blank, Codebook(rows))
            net.load_state_dict({n: t for n, t in tensors.items() if not is_code[n]})
        except (OSError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise BundleError(
                f"{directory.name} cannot be loaded ({error}): publish the bundle anew"
            ) from error
        return NetModel(net.to(device), columns, epochs)


@contextmanager
def _own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Inside, torch draws from `seed`; the caller's generators go on as if nothing was drawn."""
    devices = [] if device.type == "cpu" else [torch.cuda.current_device()]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
