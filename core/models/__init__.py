"""The members of the ensemble: JENN, F-ELU-Net, LightGBM and CatBoost's symmetric trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.models.base import Examples, Model, Progress, Trainer, Trainers
from core.models.felu import FeluNet
from core.models.jenn import JennNet
from core.models.net_member import NetModel, NetTrainer
from core.models.settings import Compute, NetSettings
from core.models.symmetric_member import SymmetricModel, SymmetricSettings, SymmetricTrainer
from core.models.tree_member import TreeModel, TreeSettings, TreeTrainer


def standard_trainers(compute: Compute) -> Trainers:
    """What a log of any size is worth training on: sizes chosen on tune."""
    return {
        "jenn": NetTrainer(JennNet, NetSettings(batch_norm=False), compute),
        "felu": NetTrainer(FeluNet, NetSettings(batch_norm=True), compute),
        "lightgbm": TreeTrainer(TreeSettings(), compute),
        "symmetric": SymmetricTrainer(SymmetricSettings(), compute),
    }


def quick_trainers(compute: Compute) -> Trainers:
    """Small members for a first look: an epoch costs less than half, and there are few."""
    jenn = NetSettings(
        batch_norm=False,
        batch_rows=2048,
        max_epochs=3,
        patience=1,
    )
    felu = replace(jenn, batch_norm=True)
    trees = TreeSettings(
        max_rounds=120,
        patience=15,
        learning_rate=0.1,
        leaves=31,
        bins=63,
        max_categories=63,
        random_thresholds=False,
    )
    symmetric = SymmetricSettings(max_rounds=200, patience=15, learning_rate=0.1, bins=63)
    return {
        "jenn": NetTrainer(JennNet, jenn, compute),
        "felu": NetTrainer(FeluNet, felu, compute),
        "lightgbm": TreeTrainer(trees, compute),
        "symmetric": SymmetricTrainer(symmetric, compute),
    }


def tiny_trainers(compute: Compute) -> Trainers:
    """The smallest members that still learn: a bundle in seconds, for tests and demonstrations."""
    jenn = NetSettings(
        batch_norm=False,
        width=8,
        embedding=4,
        learning_rate=3e-3,
        batch_rows=512,
        epoch_steps=8,
        max_epochs=1,
    )
    felu = replace(jenn, batch_norm=True)
    trees = TreeSettings(
        max_rounds=10,
        patience=3,
        learning_rate=0.2,
        leaves=7,
        bins=31,
        max_categories=31,
        random_thresholds=False,
    )
    symmetric = SymmetricSettings(max_rounds=20, patience=3, learning_rate=0.3, depth=3, bins=31)
    return {
        "jenn": NetTrainer(JennNet, jenn, compute),
        "felu": NetTrainer(FeluNet, felu, compute),
        "lightgbm": TreeTrainer(trees, compute),
        "symmetric": SymmetricTrainer(symmetric, compute),
    }


def for_lists(trainers: Trainers) -> Trainers:
    """The members that rank lists: LightGBM learns their order, nets how likely each candidate is.

    Symmetric trees order no better than by log-loss and take long about it (docs/experiments.md).
    """
    return {
        name: replace(trainer, settings=trainer.settings.for_lists())
        if isinstance(trainer, TreeTrainer)
        else trainer
        for name, trainer in trainers.items()
        if not isinstance(trainer, SymmetricTrainer)
    }


RECIPES: Mapping[str, Callable[[Compute], Trainers]] = {
    "standard": standard_trainers,
    "quick": quick_trainers,
    "tiny": tiny_trainers,
}
"""How much work a fit may be; a domain's recipe names one."""

TRAINERS: Trainers = standard_trainers(Compute())
"""The standard members on the CPU: what loads saved members, and what tests go through."""

__all__ = [
    "RECIPES",
    "TRAINERS",
    "Compute",
    "Examples",
    "Model",
    "NetModel",
    "NetSettings",
    "NetTrainer",
    "Progress",
    "SymmetricModel",
    "SymmetricSettings",
    "SymmetricTrainer",
    "Trainer",
    "Trainers",
    "TreeModel",
    "TreeSettings",
    "TreeTrainer",
    "for_lists",
]
