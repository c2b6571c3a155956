"""JENN, the Joint Embedding Neural Network: free embeddings of users and objects, ReLU blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.branched_net import BranchedNet, CopiedLinear, SplitLinear
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
        hidden, copies = 2 * settings.width, settings.copies
        self.blocks = SplitLinear(self.joint_widths, 3 * copies * hidden)
        self.carry = nn.ModuleList(CopiedLinear(copies, hidden, hidden) for _ in range(2))
        self.ends = nn.ModuleList(self.hidden(copies * hidden) for _ in range(3))
        self.dropout = nn.Dropout(settings.dropout)
        self.head = SplitLinear(self.joint_widths, copies, silent=True)
        self.head_end = CopiedLinear(copies, hidden, 1, silent=True)

    def joint(self, user: Tensor, object_: Tensor, context: Tensor) -> Tensor:
        """What each copy adds to `start` (n, copies)."""
        parts = self.joint_parts(user, object_, context)
        first, second, third = torch.chunk(self.blocks(parts), 3, dim=1)
        x0 = self.ends[0](first)
        x1 = self.ends[1](second + self.carry[0](x0))
        x2 = self.ends[2](third + self.carry[1](x1))
        votes: Tensor = self.head([self.dropout(part) for part in parts])
        ends: Tensor = self.head_end(self.dropout(x2))
        return votes + ends
