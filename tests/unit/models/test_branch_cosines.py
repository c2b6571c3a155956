"""The branch cosine of a net is that of what its two branches say, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from core.models import RECIPES, Compute, NetTrainer
from core.testing import number, random_batch, synthetic_columns, with_labels


def test_the_cosine_is_that_of_the_outputs_of_both_branches() -> None:
    columns = synthetic_columns()
    trainer = RECIPES["tiny"](Compute(threads=1))["jenn"]
    assert isinstance(trainer, NetTrainer)
    trainer = replace(trainer, settings=replace(trainer.settings, object_cache=64))
    rows = random_batch(columns, 300, seed=1)
    model = trainer.fit(with_labels(rows, number(rows, "user_0"), 1), None, seed=0, iterations=1)
    batch = random_batch(columns, 20, seed=2)
    with torch.inference_mode():
        user, object_ = model._net.user(batch).numpy(), model._net.object(batch).numpy()
    lengths = np.linalg.norm(user, axis=1) * np.linalg.norm(object_, axis=1)
    expected = (user * object_).sum(axis=1) / lengths
    np.testing.assert_allclose(model.branch_cosines(batch), expected, rtol=0, atol=1e-6)
