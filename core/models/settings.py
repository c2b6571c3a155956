"""What can be set about the members: where they compute, and how nets are built and trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from core.errors import CapabilityMissingError

_SMALLEST_SHARE = 1e-3
"""Of the largest step size: the first and the last step move a little as well."""


@dataclass(frozen=True)
class Compute:
    """Where members are trained and served: of the machine, so never saved with a model."""

    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the nets live; `auto` takes a GPU when there is one. Trees stay on the CPU."""
    threads: int | None = None
    """Threads of a fit, and of trees on large batches; None leaves it to the libraries."""

    def torch_device(self) -> torch.device:
        """The device that `device` means on this machine.

        Raises:
            CapabilityMissingError: a GPU was asked for by name and there is none.
        """
        if self.device == "cpu" or torch.cuda.is_available():
            return torch.device("cpu" if self.device == "cpu" else "cuda")
        if self.device == "cuda":
            build = "" if torch.version.cuda else ", and this build of it is for the CPU alone"
            raise CapabilityMissingError(
                f"--device cuda needs a GPU, and PyTorch {torch.__version__} finds none{build}: "
                "choose --device auto or cpu, or install a build for the GPU"
            )
        return torch.device("cpu")

    @contextmanager
    def limited_threads(self) -> Iterator[None]:
        """Inside, torch uses `threads`; what was set before is put back."""
        before = torch.get_num_threads()
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@dataclass(frozen=True)
class NetSettings:
    """Sizes and schedule of a net; the defaults were chosen on tune (docs/experiments.md)."""

    batch_norm: bool
    """Normalise every hidden layer over the batch."""
    width: int = 32
    """K: branches end in K, hidden layers have 2K. The winner's 74 learn by heart what a log of
    some hundred thousand rows says (docs/experiments.md)."""
    copies: int = 4
    """Joint parts over the same branches, each trained on its own and averaged: what one learns by
    chance the others do not (after TabM, Gorishniy 2024)."""
    embedding: int = 8
    """Width of the embedding of one code."""
    max_codes: int = 32
    """Vocabularies that show more codes are left out, as trees do: their counters and rates are
    number columns already, while rare codes are learned by heart."""
    dropout: float = 0.5
    """Share of the head's inputs dropped in training."""
    learning_rate: float = 1e-3
    """Largest step size: reached after the warm-up, falling to zero along a cosine."""
    warm_up: float = 0.1
    """Share of the schedule in which the step size grows."""
    embedding_decay: float = 1.063e-3
    """L2 gradient on all embedding tables, weight for weight: rare codes stay near zero."""
    averaged_steps: int = 50
    """Steps that the kept weights are an average of, recent ones first: no single batch, and hardly
    the epoch, decides about them."""
    batch_rows: int = 8192
    """Rows of a step on a large log."""
    epoch_steps: int = 256
    """A small log is cut into smaller batches until an epoch has this many steps."""
    min_batch_rows: int = 32
    """But never into smaller ones than this."""
    max_epochs: int = 4
    """Epochs of the schedule; a tune block may say to stop before."""
    patience: int = 2
    """Epochs without a better tune log-loss after which training stops."""
    context_dropout: float = 0.25
    """Share of rows whose context is unknown, drawn anew each epoch."""
    code_dropout: float = 0.03
    """Share of codes, identities included, that are unknown: so index 0 is a trained value."""
    object_cache: int = 1 << 16
    """Objects whose branch output a served net keeps; a power of two."""

    def batch_size(self, n_rows: int) -> int:
        """Rows of one step on a log of `n_rows`."""
        return max(self.min_batch_rows, min(self.batch_rows, n_rows // self.epoch_steps))

    def rate(self, done: float) -> float:
        """Step size after a share of the schedule, from 0 to 1."""
        warm = min(1.0, done / self.warm_up) if self.warm_up else 1.0
        left = 0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))
        return self.learning_rate * max(warm * left, _SMALLEST_SHARE)
