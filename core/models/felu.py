"""F-ELU-Net, the Functional ELU Net: no free object embeddings, densely connected ELU blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.branched_net import BranchedNet, CopiedLinear, SplitLinear
from core.models.codebook import Codebook
from core.models.net_inputs import Standardiser
from core.models.settings import NetSettings
from core.state.columns import Columns


class FeluNet(BranchedNet):
    """Densely connected blocks over the joint vector.

    p0 = D(joint), p1 = D(joint, p0), p2 = D(joint, p0, p1), head on (joint, p0, p1, p2). User
    embeddings start at zero, so that a new user is no outlier; objects are known by their
    columns alone.
    """

    member = "felu"
    activation = nn.ELU
    embeds_objects = False
    user_spread = 0.0
    context_widths = 1

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
        # From p0 to p1, from p0 to p2, from p1 to p2.
        self.carry = nn.ModuleList(CopiedLinear(copies, hidden, hidden) for _ in range(3))
        self.ends = nn.ModuleList(self.hidden(copies * hidden) for _ in range(3))
        self.dropout = nn.Dropout(settings.dropout)
        self.head = SplitLinear(self.joint_widths, copies, silent=True)
        self.head_ends = nn.ModuleList(
            CopiedLinear(copies, hidden, 1, silent=True) for _ in range(3)
        )

    def joint(self, user: Tensor, object_: Tensor, context: Tensor) -> Tensor:
        """What each copy adds to `start` (n, copies)."""
        parts = self.joint_parts(user, object_, context)
        first, second, third = torch.chunk(self.blocks(parts), 3, dim=1)
        p0 = self.ends[0](first)
        p1 = self.ends[1](second + self.carry[0](p0))
        p2 = self.ends[2](third + self.carry[1](p0) + self.carry[2](p1))
        votes: Tensor = self.head([self.dropout(part) for part in parts])
        for end, block in zip(self.head_ends, (p0, p1, p2), strict=True):
            votes = votes + end(self.dropout(block))
        return votes
