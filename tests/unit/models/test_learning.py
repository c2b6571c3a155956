"""Each member finds the signals that it is there for, and lives without the request's context."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from core.models import (
    TRAINERS,
    Compute,
    Examples,
    Model,
    NetTrainer,
    SymmetricTrainer,
    Trainer,
    TreeTrainer,
)
from core.state.columns import FeatureBatch
from core.testing import code, number, random_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns(users=30, objects=30)
NETS = ["jenn", "felu"]


def small(name: str) -> Trainer:
    trainer = TRAINERS[name]
    if isinstance(trainer, NetTrainer):
        settings = replace(
            trainer.settings, width=16, embedding=6, learning_rate=4e-3, max_epochs=6, dropout=0.2
        )
        return replace(trainer, settings=settings, compute=Compute(threads=1))
    if isinstance(trainer, SymmetricTrainer):
        symmetric = replace(
            trainer.settings, max_rounds=300, learning_rate=0.1, feature_share=0.7, l2=3.0
        )
        return replace(trainer, settings=symmetric, compute=Compute(threads=1))
    assert isinstance(trainer, TreeTrainer)
    return replace(
        trainer,
        settings=replace(
            trainer.settings,
            max_rounds=150,
            learning_rate=0.1,
            leaves=15,
            feature_share=0.7,  # of a dozen columns: what interacts must meet in a tree
        ),
        compute=Compute(threads=1),
    )


def dot_product(batch: FeatureBatch) -> NDArray[np.float64]:
    first, second = (number(batch, f"user_{i}") * number(batch, f"object_{i}") for i in range(2))
    return 3.0 * (first + second)


def exclusive_or(batch: FeatureBatch) -> NDArray[np.float64]:
    signs = np.sign(number(batch, "context_1")) * np.sign(number(batch, "object_0"))
    return np.asarray(3.0 * signs)


def category(batch: FeatureBatch) -> NDArray[np.float64]:
    is_liked = (code(batch, "city") < 3) & (code(batch, "genre_2") % 2 == 1)
    return np.asarray(np.where(is_liked, 3.0, -3.0))


def surface(batch: FeatureBatch) -> NDArray[np.float64]:
    """The context says most, the user's second number the rest."""
    known = code(batch, "surface")
    by_surface = np.where(known == 0, 0.0, np.where(known % 2 == 1, 2.0, -2.0))
    return by_surface + 2.0 * number(batch, "user_1")


def fitted(name: str, signal: object, n_rows: int = 4000) -> tuple[Model, Examples]:
    assert callable(signal)
    blocks = []
    for seed, size in enumerate((n_rows, 1000, 2000)):
        batch = random_batch(COLUMNS, size, seed)
        blocks.append(with_labels(batch, signal(batch), seed))
    train, tune, test = blocks
    return small(name).fit(train, tune, seed=0), test


@pytest.mark.parametrize("name", sorted(TRAINERS))
@pytest.mark.parametrize("signal", [dot_product, exclusive_or, category])
def test_a_member_finds_interactions_of_user_object_and_context(name: str, signal: object) -> None:
    model, test = fitted(name, signal)
    assert roc_auc_score(test.labels, model.predict(test.features)) > 0.85


@pytest.mark.parametrize("name", sorted(TRAINERS))
def test_a_member_does_not_collapse_when_the_context_is_unknown(name: str) -> None:
    model, test = fitted(name, surface)
    masked = test.features.without_context()
    with_context = roc_auc_score(test.labels, model.predict(test.features))
    without = model.predict(masked)
    reachable = roc_auc_score(test.labels, surface(masked))
    assert with_context > 0.9
    assert roc_auc_score(test.labels, without) > reachable - 0.03
    assert abs(np.mean(1 / (1 + np.exp(-without))) - np.mean(test.labels)) < 0.1


def habit(batch: FeatureBatch) -> NDArray[np.float64]:
    """Some users come back whatever is offered; half of the users that are known do."""
    users = code(batch, "user_id")
    return np.where(users == 0, 0.0, np.where(users % 2 == 1, 2.5, -2.5))


@pytest.mark.parametrize("name", NETS)
def test_nets_know_users_and_meet_unknown_ones_half_way(name: str) -> None:
    model, test = fitted(name, habit)
    assert roc_auc_score(test.labels, model.predict(test.features)) > 0.85
    codes = test.features.codes.copy()
    codes[:, 0] = 0
    chance = 1 / (1 + np.exp(-model.predict(replace(test.features, codes=codes))))
    assert np.mean(np.abs(chance - 0.5)) < 0.15


def fondness(batch: FeatureBatch) -> NDArray[np.float64]:
    """Some objects are returned to by everyone, and only their id tells."""
    return np.where(code(batch, "object_id") % 2 == 1, 2.5, -2.5)


def test_only_jenn_knows_objects_by_their_id() -> None:
    areas = {}
    for name in sorted(TRAINERS):
        model, test = fitted(name, fondness)
        areas[name] = roc_auc_score(test.labels, model.predict(test.features))
    assert areas["jenn"] > 0.85
    assert areas["felu"] < 0.6
    assert areas["lightgbm"] < 0.6
    assert areas["symmetric"] < 0.6
