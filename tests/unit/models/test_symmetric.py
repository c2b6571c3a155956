"""What is particular to CatBoost's symmetric trees: rows in memory, refits, how many are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.models import Compute, Examples, SymmetricSettings, SymmetricTrainer
from core.models.tree_inputs import MaskedRows, TreeColumns
from core.testing import number, random_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns()
TRAINER = SymmetricTrainer(SymmetricSettings(max_rounds=60, depth=3), Compute(threads=1))


def examples(n_rows: int, seed: int) -> Examples:
    batch = random_batch(COLUMNS, n_rows, seed)
    return with_labels(batch, 2.0 * number(batch, "user_0"), seed)


def test_of_too_many_rows_the_latest_are_taken() -> None:
    made, unseen = examples(900, seed=1), examples(50, seed=2).features
    capped = replace(TRAINER, settings=replace(TRAINER.settings, max_rows=300))
    latest = Examples(made.features.take(slice(600, 900)), made.labels[600:])
    np.testing.assert_array_equal(
        capped.fit(made, None, seed=0, iterations=10).predict(unseen),
        TRAINER.fit(latest, None, seed=0, iterations=10).predict(unseen),
    )


def test_a_refit_repeats_the_fit_that_a_tune_block_chose() -> None:
    train, tune = examples(600, seed=1), examples(300, seed=2)
    chosen = TRAINER.fit(train, tune, seed=0)
    again = TRAINER.fit(train, None, seed=0, iterations=chosen.iterations())
    np.testing.assert_array_equal(again.predict(tune.features), chosen.predict(tune.features))


def test_trees_that_hardly_add_quality_are_dropped() -> None:
    train, tune = examples(600, seed=1), examples(300, seed=2)

    def kept(tolerance: float) -> int:
        settings = replace(TRAINER.settings, loss_tolerance=tolerance)
        return replace(TRAINER, settings=settings).fit(train, tune, seed=0).iterations()

    assert 1 == kept(1.0) < kept(0.01) < kept(0.0)


def test_rows_in_memory_are_those_read_piece_by_piece() -> None:
    layout = TreeColumns(COLUMNS, ("city", "surface"))
    batch = random_batch(COLUMNS, MaskedRows.batch_size + 10, seed=0)
    rows = MaskedRows(layout, batch, share=0.5, seed=0)
    whole = rows.dense()
    assert whole.flags.f_contiguous
    np.testing.assert_array_equal(whole, rows[0 : len(rows)].astype(np.float32))


def test_progress_counts_up_to_done() -> None:
    told: list[tuple[str, float]] = []
    TRAINER.fit(
        examples(300, seed=1), None, seed=0, iterations=30,
        progress=lambda what, done: told.append((what, done)),
    )  # fmt: skip
    assert told[-1] == ("symmetric: done", 1.0)
    assert [what for what, _ in told[:-1]] == [
        f"symmetric: round {n} of at most 30" for n in (10, 20, 30)
    ]
