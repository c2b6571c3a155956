"""Every way for trees to learn finds what labels depend on; calibration is judged elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from benchmarks.tree_ways import WAYS, Block, calibrations, together
from core.evaluation import auc
from core.models import Compute, Examples
from core.testing import number, random_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns()
ONE = Compute(threads=1)
N = 1200


def block(seed: int) -> Block:
    """Labels that depend on one number; twenty users whose rows are told apart by nothing."""
    batch = random_batch(COLUMNS, N, seed)
    examples = with_labels(batch, 3.0 * number(batch, "object_0"), seed)
    return Block(examples, np.random.default_rng(seed).integers(0, 20, N).astype(np.int32))


@pytest.mark.parametrize("name", WAYS)
def test_every_way_finds_what_labels_depend_on(name: str) -> None:
    train, tune = block(1), block(2)
    assert auc(tune.labels, WAYS[name](train, tune, 0, ONE)) > 0.8


def test_two_scores_together_count_by_their_order_not_by_their_scale() -> None:
    one, other = np.array([0.0, 1.0, 2.0]), np.array([0.0, 3000.0, 1000.0])
    assert np.argsort(together(one, other)).tolist() == [0, 2, 1]
    np.testing.assert_allclose(together(one, other), together(one * 7.0, other / 11.0))


def test_calibration_mends_what_is_bent_and_leaves_what_is_right() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(-1.0, 1.5, 20_000)
    labels = (rng.random(len(truth)) < expit(truth)).astype(np.float32)
    rows = random_batch(COLUMNS, len(truth), 1)
    users = rng.integers(0, 500, len(truth)).astype(np.int32)
    right = Block(Examples(rows, labels), users)
    as_said = calibrations(truth, right, seed=0)["as the trees say it"]
    for loss, error in calibrations(truth, right, seed=0).values():
        assert loss == pytest.approx(as_said[0], abs=0.003)
        assert error < 0.02
    bent = calibrations(2.0 * truth + 1.5, right, seed=0)
    level, both = bent["level alone"], bent["level and temperature (the stack)"]
    assert bent["as the trees say it"][0] > level[0] > both[0]
    assert both[0] == pytest.approx(as_said[0], abs=0.003)
    assert bent["isotonic"][0] == pytest.approx(as_said[0], abs=0.003)
