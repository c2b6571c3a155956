"""Stacks that judge members: no user's rows have a say in their own answers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.member_stacks import halved_stack


def test_a_stack_is_fitted_on_other_users_than_it_is_judged_on() -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(200, dtype=np.int32), 20)
    logits = rng.normal(size=(len(users), 2))
    labels = (rng.random(len(users)) < 1 / (1 + np.exp(-logits[:, 0]))).astype(np.float32)
    said = halved_stack(logits, labels, users, seed=0)
    assert np.corrcoef(said, logits[:, 0])[0, 1] > 0.95

    # Other answers of one user change what the other half is told, and not what the user is.
    flipped = np.where(users == 7, 1.0 - labels, labels).astype(np.float32)
    changed = halved_stack(logits, flipped, users, seed=0) != said
    assert not changed[users == 7].any()
    assert np.mean(changed) == pytest.approx(0.5)
