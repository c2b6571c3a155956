"""Every model of the zoo: probabilities, a signal that it must find, equal seeds, its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.evaluation import auc
from core.models import RECIPES, Compute, Examples
from core.schema import Branch
from core.state.columns import CodeColumn, Columns, Family, FeatureBatch
from core.testing import code, number, random_batch, synthetic_columns, with_labels
from core.zoo.contract import Entry
from core.zoo.registry import BOOSTED, CLASSICAL, ENSEMBLE, MEMBERS, NAMES, NETS, zoo_entries
from core.zoo.settings import ZOO_SETTINGS, RowLimits
from core.zoo.trail import CANDIDATE, TRAIL

ONE = Compute(threads=1)
TINY = ZOO_SETTINGS["tiny"]
NET = replace(TINY.net, width=16, learning_rate=1e-2, dropout=0.1, max_epochs=6)
ENTRIES = zoo_entries(RECIPES["tiny"](ONE), replace(TINY, net=NET), ONE)
OBJECTS = 12
PLAIN = synthetic_columns(numbers=2, users=30, objects=OBJECTS)
WITH_TRAIL = Columns(
    PLAIN.numbers,
    (
        *PLAIN.codes,
        *(
            CodeColumn(name, Family.SEQUENCE, Branch.USER, OBJECTS, TRAIL, is_identity=True)
            for name in (CANDIDATE, "trail_1", "trail_2")
        ),
    ),
)


def columns_of(entry: Entry) -> Columns:
    return WITH_TRAIL if entry.needs_trail else PLAIN


def rows(columns: Columns, n: int, seed: int) -> Examples:
    """Labels that follow one number and one category; some columns say nothing at all."""
    batch = random_batch(columns, n, seed)
    batch.numbers[:, 1] = np.nan
    batch.numbers[:, 3] = 7.0
    logits = 2.0 * number(batch, "user_0") + 1.5 * (code(batch, "genre_1") < 3) - 0.75
    return with_labels(batch, logits, seed)


def test_the_zoo_has_the_thesis_models_the_nets_the_hybrids_and_the_ensemble() -> None:
    assert len(CLASSICAL) + len(BOOSTED) == 13
    assert "lightgbm" in MEMBERS
    assert {"jenn", "felu", "deepfm", "wide_deep", "mlp", "sequence_cnn"} < {*MEMBERS, *NETS}
    assert sum(name.startswith("hybrid") for name in NETS) == 3
    assert (*ENTRIES, ENSEMBLE) == NAMES


@pytest.mark.parametrize("name", ENTRIES)
def test_every_model_learns_a_plain_signal_and_repeats_itself(name: str) -> None:
    entry = ENTRIES[name]
    columns = columns_of(entry)
    train, tune, test = (rows(columns, n, seed) for n, seed in ((900, 1), (300, 2), (400, 3)))
    chosen = entry.trainer().fit(train, tune, seed=0)
    assert chosen.iterations() >= 1
    final = entry.trainer().fit(train, None, seed=0, iterations=chosen.iterations())
    assert final.iterations() == chosen.iterations()
    said = final.probabilities(test.features)
    assert said.shape == (400,)
    assert np.isfinite(said).all()
    assert ((said >= 0) & (said <= 1)).all()
    assert auc(test.labels.astype(np.int8), said) > 0.65
    again = entry.trainer().fit(train, None, seed=0, iterations=chosen.iterations())
    np.testing.assert_array_equal(again.probabilities(test.features), said)
    some = final.probabilities(test.features.take(slice(5, 8)))
    np.testing.assert_allclose(some, said[5:8], atol=1e-5)


@pytest.mark.parametrize("name", ENTRIES)
def test_codes_that_training_never_saw_are_scored(name: str) -> None:
    entry = ENTRIES[name]
    columns = columns_of(entry)
    model = entry.trainer().fit(rows(columns, 300, 1), None, seed=0, iterations=1)
    strange = random_batch(columns, 20, seed=9)
    strange.codes[:] = 10_000
    strange.numbers[:] = np.nan
    strange.numbers[0] = np.inf
    assert np.isfinite(model.probabilities(strange)).all()


def test_the_sequence_cnn_sees_what_was_taken_lately() -> None:
    entry = ENTRIES["sequence_cnn"]
    latest = [c.name for c in WITH_TRAIL.codes].index("trail_1")

    def listened(n: int, seed: int) -> Examples:
        batch = random_batch(WITH_TRAIL, n, seed)
        return with_labels(batch, np.where(batch.codes[:, latest] < 6, 4.0, -4.0), seed)

    model = entry.trainer().fit(listened(3000, 1), None, seed=0, iterations=15)
    test = listened(500, 2)
    assert auc(test.labels.astype(np.int8), model.probabilities(test.features)) > 0.9


def test_every_recipe_has_a_zoo_of_its_size() -> None:
    assert set(ZOO_SETTINGS) == set(RECIPES)


def test_a_cap_on_rows_lowers_every_limit_and_raises_none() -> None:
    limits = RowLimits(rbf_svm=50, random_forest=None).capped(100)
    assert limits.rbf_svm == 50
    assert limits.random_forest == 100
    assert max(vars(limits).values()) == 100
    assert set(vars(limits)) <= set(CLASSICAL)


def test_a_batch_without_numbers_is_scored_by_its_categories() -> None:
    columns = Columns((), PLAIN.codes)
    batch = random_batch(columns, 600, seed=1)
    labels = (batch.codes[:, 3] < 3).astype(np.float32)
    model = (
        ENTRIES["logistic_regression"]
        .trainer()
        .fit(Examples(batch, labels), None, seed=0, iterations=1)
    )
    probe = FeatureBatch(columns, batch.numbers[:50], batch.codes[:50])
    assert auc(labels[:50].astype(np.int8), model.probabilities(probe)) == 1.0
