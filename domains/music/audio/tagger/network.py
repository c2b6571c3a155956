"""The network musicnn in torch: what the shipped weights mean.

Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging"
(ISMIR late-breaking 2019, arXiv 1909.06654). This module defines it; `front_end.py` computes the
same first half several times faster.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from core.errors import BundleError

N_FRAMES = 187
"""Frames of a window: 3 s."""
N_BANDS = 96
"""Mel bands."""
N_TAGS = 50
N_UNITS = 200
"""Size of the layer before the tags."""

_TIMBRAL_BANDS = (38, 67)
"""Bands that a timbral filter spans, each over 7 frames."""
_TEMPORAL_FRAMES = (128, 64, 32)
"""Frames that a temporal filter spans, in one band."""
_TIMBRAL_FILTERS = 204
_TEMPORAL_FILTERS = 51
_MIDDLE_FILTERS = 64
_FRONT = 2 * _TIMBRAL_FILTERS + 3 * _TEMPORAL_FILTERS
_POOLED = 2 * (_FRONT + 3 * _MIDDLE_FILTERS)
EPSILON = 1e-3
"""TensorFlow's batch normalisation divides by sqrt(variance + this)."""


class Musicnn(nn.Module):
    """Windows of a log-mel spectrogram to tags; made by `load`, only ever used for inference."""

    def __init__(self) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1, eps=EPSILON)
        self.timbral = nn.ModuleList(
            nn.Conv2d(1, _TIMBRAL_FILTERS, (7, bands), padding=(3, 0)) for bands in _TIMBRAL_BANDS
        )
        self.temporal = nn.ModuleList(
            nn.Conv2d(1, _TEMPORAL_FILTERS, (frames, 1)) for frames in _TEMPORAL_FRAMES
        )
        self.front_norms = nn.ModuleList(
            nn.BatchNorm2d(filters, eps=EPSILON)
            for filters in 2 * [_TIMBRAL_FILTERS] + 3 * [_TEMPORAL_FILTERS]
        )
        self.middle = nn.ModuleList(
            nn.Conv1d(inputs, _MIDDLE_FILTERS, 7, padding=3)
            for inputs in (_FRONT, _MIDDLE_FILTERS, _MIDDLE_FILTERS)
        )
        self.middle_norms = nn.ModuleList(
            nn.BatchNorm1d(_MIDDLE_FILTERS, eps=EPSILON) for _ in range(3)
        )
        self.pool_norm = nn.BatchNorm1d(_POOLED, eps=EPSILON)
        self.dense = nn.Linear(_POOLED, N_UNITS)
        self.dense_norm = nn.BatchNorm1d(N_UNITS, eps=EPSILON)
        self.tags = nn.Linear(N_UNITS, N_TAGS)
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def load(cls, path: Path) -> Musicnn:
        """Read weights that `convert.py` wrote.

        Raises:
            BundleError: if the file is missing, damaged or holds another network.
        """
        network = cls()
        try:
            network.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise BundleError(
                f"the tagger's weights {path.name} cannot be read: reinstall Encore"
            ) from error
        return network

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Tags and the layer before them.

        Args:
            windows: `(n, N_FRAMES, N_BANDS)` log-mel, as `spectrogram.log_mel` makes them.

        Returns:
            Probabilities of the tags `(n, N_TAGS)` and activations `(n, N_UNITS)`.
        """
        return self.back_end(self.front_end(windows))

    def front_end(self, windows: Tensor) -> Tensor:
        """Musically shaped filters: `(n, N_FRAMES, N_BANDS)` to `(n, 561, N_FRAMES)`."""
        image = self.input_norm(windows.unsqueeze(1))
        maps = [convolution(image) for convolution in self.timbral]
        for convolution, frames in zip(self.temporal, _TEMPORAL_FRAMES, strict=True):
            # "Same" padding of an even filter, TensorFlow's way: the odd frame comes after.
            padded = functional.pad(image, (0, 0, *temporal_padding(frames)))
            maps.append(convolution(padded))
        pooled = [
            norm(functional.relu(map_)).amax(dim=3)
            for norm, map_ in zip(self.front_norms, maps, strict=True)
        ]
        return torch.cat(pooled, dim=1)

    def back_end(self, front: Tensor) -> tuple[Tensor, Tensor]:
        """Dense convolutions over time, pooling and tags of `(n, 561, N_FRAMES)`."""
        layers = [front]
        for convolution, norm in zip(self.middle, self.middle_norms, strict=True):
            found = norm(functional.relu(convolution(layers[-1])))
            layers.append(found + layers[-1] if len(layers) > 1 else found)
        everything = torch.cat(layers, dim=1)
        pooled = torch.stack([everything.amax(dim=2), everything.mean(dim=2)], dim=2).flatten(1)
        units = self.dense_norm(functional.relu(self.dense(self.pool_norm(pooled))))
        return torch.sigmoid(self.tags(units)), units


def temporal_padding(frames: int) -> tuple[int, int]:
    """Frames of zeros before and after, so that a temporal filter keeps the length."""
    return (frames - 1) // 2, frames // 2
