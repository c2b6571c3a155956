"""JENN, the Joint Embedding Neural Network: free embeddings of users and objects, ReLU blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.branched_net import BranchedNet, SplitLinear
from core.models.codebook import Codebook
from core.models.net_inputs import Standardiser
from core.models.settings import NetSettings
from core.state.columns import Columns


class JennNet(BranchedNet):
    """Three residual-concat blocks over the joint vector.

    x0 = D(joint), x1 = D(joint, x0), x2 = D(joint, x1), head on (joint, x2). What the three
    blocks make of the joint vector is one product, for speed: the sums are the same.
    """

    member = "jenn"
    activation = nn.ReLU
    embeds_objects = True
    user_spread = 0.005
    context_widths = 2

    def __init__(
        self,
        columns: Columns,
        settings: NetSettings,
        standardiser: Standardiser,
        codebook: Codebook,
    ) -> None:
        super().__init__(columns, settings, standardiser, codebook)
        hidden = 2 * settings.width
        self.blocks = SplitLinear(self.joint_widths, 3 * hidden)
        self.carry = nn.ModuleList(nn.Linear(hidden, hidden, bias=False) for _ in range(2))
        self.ends = nn.ModuleList(self.hidden(hidden) for _ in range(3))
        self.dropout = nn.Dropout(settings.dropout)
        self.head = SplitLinear((*self.joint_widths, hidden), 1, silent=True)

    def joint(self, user: Tensor, object_: Tensor, context: Tensor) -> Tensor:
        """What to add to `start` (n,)."""
        parts = self.joint_parts(user, object_, context)
        first, second, third = torch.chunk(self.blocks(parts), 3, dim=1)
        x0 = self.ends[0](first)
        x1 = self.ends[1](second + self.carry[0](x0))
        x2 = self.ends[2](third + self.carry[1](x1))
        logits: Tensor = self.head([self.dropout(part) for part in (*parts, x2)])
        return logits.squeeze(1)
