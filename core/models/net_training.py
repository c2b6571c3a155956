"""The training loop of the nets: shuffled batches, masking, averaged weights, early stopping."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from core.mapped import gather, is_mapped, pieces
from core.models.base import Examples, Progress, drawn
from core.models.logit_net import LogitNet
from core.models.row_order import row_pools
from core.models.settings import NetSettings
from core.models.weight_average import WeightAverage
from core.state.columns import FeatureBatch

PREDICT_ROWS = 16_384
"""Rows that a net takes in at once: bounds the memory of a prediction."""


def train_net(
    net: LogitNet,
    train: Examples,
    tune: Examples | None,
    *,
    seed: int,
    epochs: int,
    progress: Progress | None,
) -> int:
    """Train in place and return the number of epochs of the weights that were kept.

    The kept weights are an average over the last steps. Without `tune` all `epochs` are run; with
    it, those of the lowest tune log-loss are kept, and training ends after `patience` epochs
    without a lower one. Step sizes follow one schedule over `max_epochs`, however many are run.
    """
    settings = net.settings
    optimiser = _optimiser(net)
    average = WeightAverage(net, settings.averaged_steps)
    best_epochs, best_loss, best_weights = 0, np.inf, average.weights()
    for epoch in range(epochs):
        if progress is not None:
            progress(f"{net.member}: epoch {epoch + 1} of at most {epochs}", epoch / epochs)
        _run_epoch(net, optimiser, average, train, seed=seed, epoch=epoch)
        if tune is None:
            continue
        loss = log_loss(predict_rows(average.net, tune.features), tune.labels)
        if loss < best_loss:
            best_epochs, best_loss, best_weights = epoch + 1, loss, average.weights()
        elif epoch + 1 - best_epochs >= settings.patience:
            break
    net.load_state_dict(average.weights() if tune is None else best_weights)
    net.eval()
    if progress is not None:
        progress(f"{net.member}: done", 1.0)
    return epochs if tune is None else best_epochs


def predict_rows(net: LogitNet, batch: FeatureBatch) -> NDArray[np.float64]:
    """Logits (n,) by the plain path, PREDICT_ROWS rows at a time."""
    net.eval()
    with torch.inference_mode():
        chunks = [net(piece).cpu().numpy() for _, piece in pieces(batch, PREDICT_ROWS)]
    return np.concatenate(chunks).astype(np.float64) if chunks else np.zeros(0)


def log_loss(logits: NDArray[np.float64], labels: NDArray[np.float32]) -> float:
    """Mean negative log-likelihood of the labels, in nats."""
    return float(np.mean(np.logaddexp(0.0, logits) - labels * logits))


def masked_batches(
    examples: Examples, settings: NetSettings, *, seed: int, epoch: int
) -> Iterator[Examples]:
    """One epoch: all rows once, shuffled, in batches of about equal size.

    Some rows lose their context and some codes become unknown: what serving meets every day.
    """
    rng = drawn(seed, "epoch", epoch)
    batch_rows = settings.batch_size(len(examples))
    for pool in row_pools(len(examples), rng):
        pooled = _in_memory(examples.features, pool)
        order = rng.permutation(len(pool))
        for part in np.array_split(order, max(1, len(pool) // batch_rows)):
            # In log order within a batch: neighbours in memory are read together.
            rows = np.sort(part)
            batch = examples.features.take(pool[rows]) if pooled is None else pooled.take(rows)
            batch = batch.without_context(rng.random(len(rows)) < settings.context_dropout)
            batch.codes[rng.random(batch.codes.shape) < settings.code_dropout] = 0
            yield Examples(batch, examples.labels[pool[rows]])
        del pooled, batch  # a pool is large: it goes before the next one comes


def _in_memory(features: FeatureBatch, rows: NDArray[np.intp]) -> FeatureBatch | None:
    """The rows as a copy in memory, or None where all rows are there already."""
    if not (is_mapped(features.numbers) or is_mapped(features.codes)):
        return None
    return FeatureBatch(
        features.columns, gather(features.numbers, rows), gather(features.codes, rows)
    )


def _run_epoch(
    net: LogitNet,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage,
    train: Examples,
    *,
    seed: int,
    epoch: int,
) -> None:
    net.train()
    device = net.tables()[0].device
    rows_seen = 0
    for batch in masked_batches(train, net.settings, seed=seed, epoch=epoch):
        done = (epoch + rows_seen / len(train)) / net.settings.max_epochs
        for group in optimiser.param_groups:
            group["lr"] = net.settings.rate(done)
        rows_seen += len(batch)
        votes = net.votes(batch.features)
        labels = torch.from_numpy(batch.labels).to(device)[:, None].expand_as(votes)
        loss = functional.binary_cross_entropy_with_logits(votes, labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        average.update(net)


def _optimiser(net: LogitNet) -> torch.optim.Adam:
    settings = net.settings
    tables = net.tables()
    kept_apart = {id(table) for table in tables}
    dense: list[nn.Parameter] = [p for p in net.parameters() if id(p) not in kept_apart]
    groups = [
        {"params": tables, "weight_decay": settings.embedding_decay},
        {"params": dense, "weight_decay": 0.0},
    ]
    return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)
