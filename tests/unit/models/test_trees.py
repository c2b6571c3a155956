"""What is particular to LightGBM: columns, number of trees, contributions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.models import Compute, Examples, TreeSettings, TreeTrainer
from core.models.tree_inputs import MaskedRows, TreeColumns, fewest_rounds, shown_categories
from core.state.columns import FeatureBatch
from core.testing import number, random_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns()
CATEGORIES = ("city", "genre_1", "genre_2", "surface")
TRAINER = TreeTrainer(TreeSettings(max_rounds=40, leaves=7), Compute(threads=1))


def examples(n_rows: int, seed: int) -> Examples:
    batch = random_batch(COLUMNS, n_rows, seed)
    return with_labels(batch, 2.0 * number(batch, "user_0"), seed)


def test_trees_see_neither_identities_nor_large_vocabularies() -> None:
    large = synthetic_columns(categories=600)
    rows = random_batch(large, 5000, seed=0)
    few = large.codes[[c.name for c in large.codes].index("surface")]
    rows.codes[:, large.codes.index(few)] %= 200
    layout = TreeColumns(large, shown_categories(rows, 256))
    codes = layout.names[len(large.numbers) :]
    assert codes == ["surface"]
    assert [layout.names[index] for index in layout.categorical] == codes


def test_trees_see_every_small_vocabulary() -> None:
    layout = TreeColumns(COLUMNS, shown_categories(random_batch(COLUMNS, 50, seed=0), 256))
    codes = layout.names[len(COLUMNS.numbers) :]
    assert codes == ["city", "genre_1", "genre_2", "surface"]
    assert [layout.names[index] for index in layout.categorical] == codes


def test_trees_see_no_single_axes_of_vectors() -> None:
    is_axis = [c.name in ("user_1", "object_2") for c in COLUMNS.numbers]
    numbers = tuple(replace(c, is_axis=a) for c, a in zip(COLUMNS.numbers, is_axis, strict=True))
    batch = random_batch(replace(COLUMNS, numbers=numbers), 30, seed=0)
    layout = TreeColumns(batch.columns, CATEGORIES)
    kept = [c.name for c in numbers if not c.is_axis]
    assert layout.names == kept + list(CATEGORIES)
    matrix = layout.matrix(batch, np.float32)
    np.testing.assert_array_equal(matrix[:, : len(kept)], batch.numbers[:, ~np.array(is_axis)])
    assert layout.categorical == list(range(len(kept), len(layout.names)))


def test_rows_are_read_alike_one_by_one_and_in_pieces() -> None:
    layout = TreeColumns(COLUMNS, CATEGORIES)
    rows = MaskedRows(layout, random_batch(COLUMNS, 40, seed=0), share=0.5, seed=0)
    piece = rows[0:40]
    np.testing.assert_array_equal(np.stack([rows[index] for index in range(40)]), piece)
    np.testing.assert_array_equal(rows[[3, 5]], piece[[3, 5]])


def test_no_matrix_is_larger_than_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[int] = []
    whole = TreeColumns.matrix

    def counted(
        layout: TreeColumns, batch: FeatureBatch, dtype: type[np.float64]
    ) -> NDArray[np.float64]:
        laid_out.append(len(batch))
        matrix: NDArray[np.float64] = whole(layout, batch, dtype)
        return matrix

    monkeypatch.setattr(TreeColumns, "matrix", counted)
    train = examples(3 * MaskedRows.batch_size, seed=1)
    TRAINER.fit(train, examples(10_000, seed=2), seed=0)
    assert max(laid_out) == MaskedRows.batch_size
    assert sum(n for n in laid_out if n > 1) == len(train) + 10_000


def test_categories_are_counted_over_all_rows_and_not_only_the_first() -> None:
    rows = random_batch(COLUMNS, 70_000, seed=0)
    city = [c.name for c in COLUMNS.codes].index("city")
    rows.codes[:, city] = np.arange(70_000) > 69_990
    assert "city" not in shown_categories(rows, 1)
    assert "city" in shown_categories(rows, 2)


def test_a_share_of_the_training_rows_has_lost_its_context() -> None:
    layout = TreeColumns(COLUMNS, CATEGORIES)
    rows = MaskedRows(layout, random_batch(COLUMNS, 2000, seed=0), share=0.25, seed=0)
    surface = rows[0:2000][:, layout.names.index("surface")]
    assert 0.25 < np.mean(surface == 0) < 0.5  # a quarter, and the sixth that was unknown anyway


def test_trees_that_hardly_add_quality_are_dropped() -> None:
    losses = [0.69, 0.60, 0.5502, 0.5501, 0.5500, 0.5510]
    assert fewest_rounds(losses, tolerance=0.0) == 5
    assert fewest_rounds(losses, tolerance=1.5e-4) == 4
    assert fewest_rounds(losses, tolerance=1.0) == 1


def candidates(n_lists: int, seed: int, *, size: int = 20) -> Examples:
    """Lists in which what has most of a column is taken: users differ in how much they take."""
    batch = random_batch(COLUMNS, n_lists * size, seed)
    lists = np.repeat(np.arange(n_lists), size)
    quotas = np.repeat(np.random.default_rng(seed).integers(1, 9, n_lists), size)
    order = np.lexsort((-number(batch, "user_0"), lists))
    labels = np.zeros(len(batch), np.float32)
    labels[order] = np.tile(np.arange(size), n_lists) < quotas
    return Examples(batch, labels, lists)


def test_trees_for_lists_put_first_what_is_taken() -> None:
    trainer = replace(TRAINER, settings=TRAINER.settings.for_lists())
    made, unseen = candidates(150, seed=1), candidates(50, seed=2)
    model = trainer.fit(made, candidates(20, seed=3), seed=0)
    assert model.iterations() == trainer.settled_iterations(made) == 40
    assert TRAINER.settled_iterations(made) is None
    scores = model.predict(unseen.features).reshape(50, -1)
    labels = unseen.labels.reshape(50, -1)
    first = np.take_along_axis(labels, np.argsort(-scores, axis=1), axis=1)[:, 0]
    assert first.mean() > 0.8  # by chance 0.2


def test_more_lists_bear_more_trees_within_bounds() -> None:
    settings = TreeSettings().for_lists()
    lists = (10, 6_400, 9_600, 100_000)
    assert [settings.rounds_of(n) for n in lists] == [200, 200, 300, 600]
    assert replace(settings, max_rounds=50).rounds_of(100_000) == 50


def test_trees_for_lists_must_be_told_the_lists() -> None:
    trainer = replace(TRAINER, settings=TRAINER.settings.for_lists())
    with pytest.raises(ValueError, match="with their lists"):
        trainer.fit(examples(200, seed=1), None, seed=0, iterations=2)


def test_more_categories_than_bins_are_no_reason_to_print(
    capfd: pytest.CaptureFixture[str],
) -> None:
    columns = synthetic_columns(categories=200)
    batch = random_batch(columns, 2000, seed=0)
    rows = with_labels(batch, number(batch, "user_0"), seed=0)
    few_bins = replace(TRAINER, settings=replace(TRAINER.settings, bins=15))
    few_bins.fit(rows, None, seed=0, iterations=3)
    assert capfd.readouterr() == ("", "")


def test_contributions_add_up_to_the_logits() -> None:
    model = TRAINER.fit(examples(500, seed=1), examples(200, seed=2), seed=0)
    batch = random_batch(COLUMNS, 30, seed=3)
    told = model.contributions(batch)
    assert told.parts.shape == (30, len(told.names))
    np.testing.assert_allclose(
        told.base + told.parts.sum(axis=1), model.predict(batch), rtol=0, atol=1e-9
    )
    assert told.names[int(np.argmax(np.abs(told.parts).mean(axis=0)))] == "user_0"
    none = model.contributions(batch.take(slice(0, 0)))
    assert (none.base.shape, none.parts.shape) == ((0,), (0, len(told.names)))


def test_contributions_know_the_family_of_their_column() -> None:
    model = TRAINER.fit(examples(500, seed=1), None, seed=0, iterations=2)
    told = model.contributions(random_batch(COLUMNS, 1, seed=3))
    families = {c.name: c.family for c in COLUMNS.numbers} | {
        c.name: c.family for c in COLUMNS.codes if c.name in CATEGORIES
    }
    assert dict(zip(told.names, told.families, strict=True)) == families


def test_large_batches_score_like_small_ones() -> None:
    model = TRAINER.fit(examples(500, seed=1), None, seed=0, iterations=5)
    batch = random_batch(COLUMNS, 70_000, seed=3)
    np.testing.assert_array_equal(
        model.predict(batch)[65_530:65_540], model.predict(batch.take(slice(65_530, 65_540)))
    )
