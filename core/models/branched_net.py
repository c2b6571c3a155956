"""What both nets share: user, object and context branches that meet in a joint part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.codebook import Codebook
from core.models.logit_net import LogitNet
from core.models.net_inputs import BranchInput, CodeTable, Standardiser, logit_columns
from core.models.settings import NetSettings
from core.schema import Branch
from core.state.columns import Columns, FeatureBatch

CODE_SPREAD = 0.05
"""Embeddings of codes start uniform in ±CODE_SPREAD: nearer to zero, nets that must combine two
categories do not get away from it."""


class SplitLinear(nn.Module):
    """A dense layer over parts laid side by side; a part of one row holds for all rows.

    This is how a request is split: what belongs to the user is multiplied once, not once per
    candidate. A silent layer says 0 until it is trained.
    """

    def __init__(self, widths: Sequence[int], out: int, *, silent: bool = False) -> None:
        super().__init__()
        self._widths = list(widths)
        self._dense = nn.Linear(sum(widths), out)
        if silent:
            nn.init.zeros_(self._dense.weight)
            nn.init.zeros_(self._dense.bias)

    def shift(self, by: float) -> None:
        """Add to everything that the layer says."""
        with torch.no_grad():
            self._dense.bias.add_(by)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Parts (n or 1, width each) -> (n, out)."""
        if len({len(part) for part in parts}) == 1:
            dense: Tensor = self._dense(torch.cat(list(parts), dim=1))
            return dense
        weights = torch.split(self._dense.weight, self._widths, dim=1)
        products = [functional.linear(p, w) for p, w in zip(parts, weights, strict=True)]
        products.sort(key=len)
        total: Tensor = self._dense.bias
        for product in products:
            total = total + product
        return total


class CopiedLinear(nn.Module):
    """One dense layer without bias for each copy, all in one product."""

    def __init__(self, copies: int, width: int, out: int, *, silent: bool = False) -> None:
        super().__init__()
        spread = 0.0 if silent else width**-0.5
        self.weight = nn.Parameter(torch.empty(copies, width, out).uniform_(-spread, spread))

    def forward(self, x: Tensor) -> Tensor:
        """Copies side by side (n, copies * width) -> (n, copies * out)."""
        copies, width, _ = self.weight.shape
        parts = x.view(len(x), copies, width)
        return torch.einsum("ncw,cwo->nco", parts, self.weight).flatten(1)


class BranchedNet(LogitNet):
    """Branches of a net; children add `joint`.

    The three branch methods, `start` and `joint` are apart so that a served net may reuse the
    branch of a user or an object: `forward` is their plain composition.
    """

    activation: ClassVar[type[nn.Module]]
    embeds_objects: ClassVar[bool]
    """Whether object ids have free embeddings; without, new objects lose nothing."""
    user_spread: ClassVar[float]
    """User embeddings start uniform in ± this."""
    context_widths: ClassVar[int]
    """The context branch ends in this many times K."""
    head: SplitLinear
    """The last layer of every copy, silent until it is trained."""

    def __init__(
        self,
        columns: Columns,
        settings: NetSettings,
        standardiser: Standardiser,
        codebook: Codebook,
    ) -> None:
        super().__init__()
        k = settings.width
        self.settings = settings
        self.codebook = codebook
        shown = [
            i
            for i, c in enumerate(columns.codes)
            if codebook.shown(c.vocabulary) <= settings.max_codes
        ]
        users = [i for i in shown if _is_user_identity(columns, i)]
        codes = [
            i
            for i in shown
            if i not in users and (self.embeds_objects or not columns.codes[i].is_identity)
        ]
        self._users = np.array(users, np.intp)
        self.user_table = CodeTable(columns, users, k, codebook, spread=self.user_spread)
        self.code_table = CodeTable(
            columns, codes, settings.embedding, codebook, spread=CODE_SPREAD
        )
        inputs = {
            branch: BranchInput(
                columns,
                branch,
                codes=codes,
                embedding=settings.embedding,
                standardiser=standardiser,
            )
            for branch in Branch
        }
        self.inputs = nn.ModuleDict({branch.value: part for branch, part in inputs.items()})
        self.user_branch = self._branch(inputs[Branch.USER].width, k)
        self.object_branch = self._branch(inputs[Branch.OBJECT].width, k)
        context_width = self.context_widths * k
        self.context_branch = nn.Sequential(
            *self._branch(inputs[Branch.CONTEXT].width, context_width),
            *self.hidden(context_width),
        )
        self.joint_widths = (k, k, context_width, 1)
        self._logits = logit_columns(columns)
        self.start_scale = nn.Parameter(torch.ones(()))

    def _branch(self, n_inputs: int, out: int) -> nn.Sequential:
        hidden = 2 * self.settings.width
        return nn.Sequential(
            nn.Linear(n_inputs, hidden), *self.hidden(hidden), nn.Linear(hidden, out)
        )

    def hidden(self, width: int) -> nn.Sequential:
        """What follows a hidden dense layer of this width."""
        layers: list[nn.Module] = [nn.BatchNorm1d(width)] if self.settings.batch_norm else []
        return nn.Sequential(*layers, self.activation())

    def user(self, batch: FeatureBatch) -> Tensor:
        """User branch (n, K): the free embedding of the user is added to what is known of them."""
        known: Tensor = self.user_branch(self.inputs[Branch.USER](batch, self.code_table))
        if len(self._users):
            known = known + self.user_table(batch.codes, self._users).sum(dim=1)
        return known

    def object(self, batch: FeatureBatch) -> Tensor:
        """Object branch (n, K): of OBJECT columns only, so it may be kept per object."""
        out: Tensor = self.object_branch(self.inputs[Branch.OBJECT](batch, self.code_table))
        return out

    def context(self, batch: FeatureBatch) -> Tensor:
        """Context branch (n, context_widths * K)."""
        out: Tensor = self.context_branch(self.inputs[Branch.CONTEXT](batch, self.code_table))
        return out

    def joint_parts(self, user: Tensor, object_: Tensor, context: Tensor) -> tuple[Tensor, ...]:
        """The joint vector in parts: user, object, context and the dot of user and object."""
        return user, object_, context, (user * object_).sum(dim=1, keepdim=True)

    def start(self, batch: FeatureBatch) -> Tensor:
        """What the net adds to (n,): the mean of the logits among the known columns, scaled.

        They are calibrated whatever the amount of history, which trained weights are not.
        """
        logits = torch.from_numpy(batch.numbers[:, self._logits]).to(self.start_scale.device)
        known = logits.isfinite()
        total = torch.where(known, logits, 0.0).sum(dim=1)
        return self.start_scale * total / known.sum(dim=1).clamp_min(1)

    def begin_at(self, rate: float, batch: FeatureBatch) -> None:
        """Let an untrained net say `rate`, between 0 and 1, on average of a batch.

        The few steps of a small fit end well before the way from elsewhere does: such nets say
        something else on average with every size of log, and no stack can be right for all.
        """
        with torch.no_grad():
            start = float(self.start(batch).mean())
        self.head.shift(math.log(rate / (1.0 - rate)) - start)

    def joint(self, user: Tensor, object_: Tensor, context: Tensor) -> Tensor:
        """What each copy adds to `start` (n, copies); the user's branch may be one row for all."""
        raise NotImplementedError

    def forward(self, batch: FeatureBatch) -> Tensor:
        """Logits (n,): the mean of the votes."""
        return self.votes(batch).mean(dim=1)

    def votes(self, batch: FeatureBatch) -> Tensor:
        """Logits of each copy (n, copies)."""
        joint = self.joint(self.user(batch), self.object(batch), self.context(batch))
        return self.start(batch)[:, None] + joint

    def tables(self) -> list[nn.Parameter]:
        """The embedding tables, which have a weight decay of their own."""
        return [self.user_table.weight, self.code_table.weight]


def _is_user_identity(columns: Columns, index: int) -> bool:
    code = columns.codes[index]
    return code.is_identity and code.branch is Branch.USER
