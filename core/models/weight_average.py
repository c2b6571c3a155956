"""The running average of a net's weights, which scores steadier than those of any one step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from core.models.logit_net import LogitNet


class WeightAverage:
    """A copy of a net whose weights follow those in training."""

    def __init__(self, net: LogitNet, steps: int) -> None:
        self.net = copy.deepcopy(net)
        """The averaged net."""
        self._steps = steps
        self._updates = 0

    def update(self, net: LogitNet) -> None:
        """Take in the weights after one step: each step before counts a little less."""
        self._updates += 1
        # The first step counts whole: what the net was before it learned is forgotten at once.
        share = max(1.0 / self._steps, 2.0 / (self._updates + 1))
        with torch.no_grad():
            current = net.state_dict()
            for name, value in self.net.state_dict().items():
                if value.dtype.is_floating_point:
                    value.lerp_(current[name], share)
                else:
                    value.copy_(current[name])

    def weights(self) -> dict[str, Tensor]:
        """A copy of the averaged weights, by name."""
        return {name: value.clone() for name, value in self.net.state_dict().items()}
