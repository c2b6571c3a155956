"""Every member keeps the contract of core.models.base, whatever it is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import BundleError, NotEnoughDataError
from core.mapped import is_mapped
from core.models import (
    TRAINERS,
    Examples,
    Model,
    NetTrainer,
    SymmetricTrainer,
    Trainer,
    TreeTrainer,
)
from core.models.base import Branched, Contributing
from core.scratch import Scratch, copy_rows
from core.state.columns import Columns, FeatureBatch
from core.testing import number, random_batch, request_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns()
NETS = [name for name, trainer in TRAINERS.items() if isinstance(trainer, NetTrainer)]


def tiny(trainer: Trainer) -> Trainer:
    """The same trainer, small enough for a test."""
    if isinstance(trainer, NetTrainer):
        settings = replace(
            trainer.settings, width=8, embedding=4, max_epochs=3, epoch_steps=8, object_cache=64
        )
        return replace(trainer, settings=settings, compute=replace(trainer.compute, threads=1))
    if isinstance(trainer, SymmetricTrainer):
        symmetric = replace(trainer.settings, max_rounds=20, depth=3)
        return replace(trainer, settings=symmetric, compute=replace(trainer.compute, threads=1))
    assert isinstance(trainer, TreeTrainer)
    trees = replace(trainer.settings, max_rounds=20, leaves=7)
    return replace(trainer, settings=trees, compute=replace(trainer.compute, threads=1))


def examples(n_rows: int, seed: int, columns: Columns = COLUMNS) -> Examples:
    batch = random_batch(columns, n_rows, seed)
    return with_labels(batch, 2.0 * number(batch, "user_0") + number(batch, "context_0"), seed)


@pytest.fixture(scope="module", params=sorted(TRAINERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def trainer(name: str) -> Trainer:
    return tiny(TRAINERS[name])


@pytest.fixture(scope="module")
def model(trainer: Trainer) -> Model:
    return trainer.fit(examples(600, seed=1), examples(200, seed=2), seed=0)


@pytest.fixture
def batch() -> FeatureBatch:
    return random_batch(COLUMNS, 50, seed=3)


def test_a_member_is_registered_under_its_own_name(
    name: str, trainer: Trainer, model: Model
) -> None:
    assert trainer.name == name
    assert model.name == name


def test_an_empty_batch_has_no_logits(model: Model, batch: FeatureBatch) -> None:
    logits = model.predict(batch.take(slice(0, 0)))
    assert logits.shape == (0,)
    assert logits.dtype == np.float64


def test_an_empty_request_has_no_logits(model: Model) -> None:
    assert model.predict(request_batch(COLUMNS, 3, seed=0).take(slice(0, 0))).shape == (0,)


def test_a_batch_is_scored_as_its_rows_one_by_one(model: Model, batch: FeatureBatch) -> None:
    alone = [model.predict(batch.take(slice(row, row + 1)))[0] for row in range(len(batch))]
    np.testing.assert_allclose(model.predict(batch), alone, rtol=0, atol=1e-5)


def test_permuted_rows_have_permuted_logits(model: Model, batch: FeatureBatch) -> None:
    order = np.random.default_rng(0).permutation(len(batch))
    np.testing.assert_allclose(
        model.predict(batch.take(order)), model.predict(batch)[order], rtol=0, atol=1e-5
    )


def test_a_request_is_scored_as_its_rows_are_without_its_hints(model: Model) -> None:
    for seed in range(3):  # the second and third meet objects that were kept from the first
        request = request_batch(COLUMNS, 40, seed)
        plain = replace(request, object_keys=None, one_user=False)
        for _ in range(2):
            np.testing.assert_allclose(
                model.predict(request), model.predict(plain), rtol=0, atol=1e-5
            )


def test_what_the_columns_add_is_the_logit(model: Model, batch: FeatureBatch) -> None:
    if not isinstance(model, Contributing):
        pytest.skip("cannot tell columns apart")
    told = model.contributions(batch)
    assert told.parts.shape == (len(batch), len(told.names)) == (len(batch), len(told.families))
    np.testing.assert_allclose(
        told.base + told.parts.sum(axis=1), model.predict(batch), rtol=0, atol=1e-9
    )


def test_branches_have_a_cosine_that_no_hint_changes(model: Model) -> None:
    if not isinstance(model, Branched):
        pytest.skip("has no branches")
    for seed in range(3):
        request = request_batch(COLUMNS, 40, seed)
        plain = replace(request, object_keys=None, one_user=False)
        cosines = model.branch_cosines(plain)
        assert np.abs(cosines).max() <= 1.0
        assert len(np.unique(cosines)) > 1
        np.testing.assert_allclose(model.branch_cosines(request), cosines, rtol=0, atol=1e-5)
        unknown = plain.without_context()
        np.testing.assert_allclose(model.branch_cosines(unknown), cosines, rtol=0, atol=1e-6)
    assert model.branch_cosines(plain.take(slice(0, 0))).shape == (0,)


def test_predicting_changes_neither_the_batch_nor_the_model(
    model: Model, batch: FeatureBatch
) -> None:
    numbers, codes = batch.numbers.copy(), batch.codes.copy()
    before = model.predict(batch)
    np.testing.assert_array_equal(batch.numbers, numbers)
    np.testing.assert_array_equal(batch.codes, codes)
    np.testing.assert_array_equal(model.predict(batch), before)


def test_a_saved_member_answers_the_same_bit_for_bit(
    trainer: Trainer, model: Model, batch: FeatureBatch, tmp_path: Path
) -> None:
    model.save(tmp_path)
    loaded = trainer.load(tmp_path, COLUMNS)
    np.testing.assert_array_equal(loaded.predict(batch), model.predict(batch))
    assert loaded.iterations() == model.iterations()
    assert loaded.name == model.name


def test_a_member_is_loaded_with_the_settings_it_was_saved_with(
    name: str, model: Model, batch: FeatureBatch, tmp_path: Path
) -> None:
    model.save(tmp_path)
    loaded = TRAINERS[name].load(tmp_path, COLUMNS)
    np.testing.assert_array_equal(loaded.predict(batch), model.predict(batch))


def test_other_columns_are_refused(trainer: Trainer, model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    grown = replace(COLUMNS, codes=(replace(COLUMNS.codes[0], cardinality=41), *COLUMNS.codes[1:]))
    with pytest.raises(BundleError, match=r"codes\[0\].*user_id"):
        trainer.load(tmp_path, grown)
    with pytest.raises(BundleError, match="11 numbers"):
        trainer.load(tmp_path, replace(COLUMNS, numbers=COLUMNS.numbers[:-1]))


def test_a_damaged_member_is_refused(trainer: Trainer, model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    for file in sorted(tmp_path.iterdir()):
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(BundleError):
            trainer.load(tmp_path, COLUMNS)
        file.unlink()
        with pytest.raises(BundleError):
            trainer.load(tmp_path, COLUMNS)
        file.write_bytes(whole)


def test_a_member_of_another_kind_is_refused(name: str, model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    for other in set(TRAINERS) - {name}:
        with pytest.raises(BundleError):
            TRAINERS[other].load(tmp_path, COLUMNS)


def test_the_same_seed_gives_the_same_member(
    trainer: Trainer, model: Model, batch: FeatureBatch
) -> None:
    np.random.default_rng(5).random(7)
    again = trainer.fit(examples(600, seed=1), examples(200, seed=2), seed=0)
    np.testing.assert_array_equal(again.predict(batch), model.predict(batch))


def test_another_seed_gives_another_member(
    trainer: Trainer, model: Model, batch: FeatureBatch
) -> None:
    other = trainer.fit(examples(600, seed=1), examples(200, seed=2), seed=1)
    assert not np.array_equal(other.predict(batch), model.predict(batch))


def test_a_refit_runs_as_many_iterations_as_it_is_told(trainer: Trainer) -> None:
    told = trainer.fit(examples(300, seed=1), None, seed=0, iterations=2)
    assert told.iterations() == 2


def test_a_refit_of_the_chosen_iterations_repeats_the_member(
    trainer: Trainer, model: Model, batch: FeatureBatch
) -> None:
    refit = trainer.fit(examples(600, seed=1), None, seed=0, iterations=model.iterations())
    np.testing.assert_array_equal(refit.predict(batch), model.predict(batch))


def test_codes_outside_their_vocabulary_are_unknown(model: Model, batch: FeatureBatch) -> None:
    unknown = replace(batch, codes=np.zeros_like(batch.codes))
    for code in (10_000, -1):
        outside = replace(batch, codes=np.full_like(batch.codes, code))
        np.testing.assert_array_equal(model.predict(outside), model.predict(unknown))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_logits_are_finite_whatever_the_numbers(
    model: Model, batch: FeatureBatch, value: float
) -> None:
    extreme = replace(batch, numbers=np.full_like(batch.numbers, value))
    assert np.isfinite(model.predict(extreme)).all()


def test_a_member_learns_from_columns_that_are_unknown_or_constant(trainer: Trainer) -> None:
    train = examples(300, seed=1)
    train.features.numbers[:, 1] = np.nan
    train.features.numbers[:, 2] = 1.5e9
    fitted = trainer.fit(train, None, seed=0, iterations=2)
    assert np.isfinite(fitted.predict(random_batch(COLUMNS, 20, seed=4))).all()


def test_a_member_learns_from_a_layout_without_columns_in_some_branch(trainer: Trainer) -> None:
    bare = Columns(COLUMNS.numbers[:4], COLUMNS.codes[:1])
    fitted = trainer.fit(examples_of_users(bare, 300), None, seed=0, iterations=2)
    assert np.isfinite(fitted.predict(random_batch(bare, 20, seed=4))).all()


def examples_of_users(columns: Columns, n_rows: int) -> Examples:
    batch = random_batch(columns, n_rows, seed=1)
    return with_labels(batch, number(batch, "user_0"), seed=1)


def test_a_dozen_rows_are_enough_to_answer_and_nothing_is_printed(
    trainer: Trainer, capfd: pytest.CaptureFixture[str]
) -> None:
    fitted = trainer.fit(examples(12, seed=1), examples(3, seed=2), seed=0)
    assert np.isfinite(fitted.predict(random_batch(COLUMNS, 5, seed=4))).all()
    assert capfd.readouterr() == ("", "")


def test_labels_that_are_all_alike_are_refused(trainer: Trainer) -> None:
    batch = random_batch(COLUMNS, 30, seed=1)
    for label in (0.0, 1.0):
        alike = Examples(batch, np.full(30, label, np.float32))
        with pytest.raises(NotEnoughDataError, match="labels of both kinds"):
            trainer.fit(alike, None, seed=0, iterations=1)


def test_an_empty_tune_block_is_refused(trainer: Trainer) -> None:
    with pytest.raises(NotEnoughDataError, match="tune block"):
        trainer.fit(examples(100, seed=1), examples(0, seed=1), seed=0)


def test_a_fit_needs_a_tune_block_or_a_number_of_iterations(trainer: Trainer) -> None:
    train = examples(100, seed=1)
    with pytest.raises(ValueError, match="either a tune block"):
        trainer.fit(train, None, seed=0)
    with pytest.raises(ValueError, match="either a tune block"):
        trainer.fit(train, train, seed=0, iterations=1)


def test_a_fit_leaves_its_examples_as_they_were(trainer: Trainer) -> None:
    train = examples(300, seed=1)
    numbers, codes = train.features.numbers.copy(), train.features.codes.copy()
    trainer.fit(train, None, seed=0, iterations=2)
    np.testing.assert_array_equal(train.features.numbers, numbers)
    np.testing.assert_array_equal(train.features.codes, codes)


def test_a_fit_from_disk_is_the_fit_from_memory(trainer: Trainer, tmp_path: Path) -> None:
    blocks = [examples(600, seed=1), examples(200, seed=2)]
    saved = []
    for name, scratch in (("memory", None), ("disk", Scratch(tmp_path, in_memory_bytes=0))):
        train, tune = (
            Examples(copy_rows(b.features, np.arange(len(b)), scratch), b.labels) for b in blocks
        )
        assert is_mapped(train.features.numbers) == is_mapped(tune.features.codes) == bool(scratch)
        model = trainer.fit(train, tune, seed=0)
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
        files = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        saved.append((files, model.predict(train.features).tolist()))
    assert saved[0] == saved[1]


def test_progress_ends_at_one(trainer: Trainer) -> None:
    told: list[float] = []
    trainer.fit(
        examples(100, seed=1), None, seed=0, iterations=2, progress=lambda _, f: told.append(f)
    )
    assert told == sorted(told)
    assert told[-1] == 1.0
