"""Batches, masking, early stopping and the schedule of the nets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from core.models import Compute, Examples, NetSettings, NetTrainer
from core.models.codebook import fit_codebook
from core.models.felu import FeluNet
from core.models.jenn import JennNet
from core.models.net_inputs import fit_standardiser
from core.models.net_training import log_loss, masked_batches, predict_rows, train_net
from core.models.weight_average import WeightAverage
from core.schema import Branch
from core.state.columns import Columns, Family, FeatureBatch, NumberColumn
from core.testing import number, random_batch, synthetic_columns, with_labels

COLUMNS = synthetic_columns()
SETTINGS = NetSettings(batch_norm=False, width=8, embedding=4, object_cache=64)


def examples(n_rows: int, seed: int = 1) -> Examples:
    batch = random_batch(COLUMNS, n_rows, seed)
    return with_labels(batch, 2.0 * number(batch, "user_0"), seed)


@given(n_rows=st.integers(1, 300), steps=st.integers(1, 20), epoch=st.integers(0, 3))
def test_an_epoch_takes_every_row_once(n_rows: int, steps: int, epoch: int) -> None:
    settings = replace(SETTINGS, epoch_steps=steps, context_dropout=0.0, code_dropout=0.0)
    rows = examples(n_rows)
    rows.features.numbers[:, 0] = np.arange(n_rows)
    batches = list(masked_batches(rows, settings, seed=0, epoch=epoch))
    taken = np.concatenate([batch.features.numbers[:, 0] for batch in batches])
    assert sorted(taken.tolist()) == list(range(n_rows))
    labels = np.concatenate([batch.labels for batch in batches])
    np.testing.assert_array_equal(labels, rows.labels[taken.astype(int)])


def test_a_small_log_still_has_many_steps_and_no_tiny_batch() -> None:
    batches = list(masked_batches(examples(3000), SETTINGS, seed=0, epoch=0))
    assert len(batches) >= 60
    assert min(len(batch) for batch in batches) >= SETTINGS.min_batch_rows
    assert SETTINGS.batch_size(7_000_000) == 8192


def test_each_epoch_hides_the_context_of_other_rows() -> None:
    settings = replace(SETTINGS, context_dropout=0.25, code_dropout=0.0)
    rows = examples(4000)
    rows.features.numbers[:] = np.arange(4000, dtype=np.float32)[:, None]
    rows.features.codes[:] = 1
    hidden = []
    for epoch in range(2):
        batches = list(masked_batches(rows, settings, seed=0, epoch=epoch))
        numbers = np.concatenate([batch.features.numbers for batch in batches])
        codes = np.concatenate([batch.features.codes for batch in batches])
        is_hidden = np.isnan(numbers[:, COLUMNS.masked_numbers]).all(axis=1)
        np.testing.assert_array_equal((codes[:, COLUMNS.masked_codes] == 0).all(axis=1), is_hidden)
        assert not np.isnan(np.delete(numbers, COLUMNS.masked_numbers, axis=1)).any()
        assert 0.2 < is_hidden.mean() < 0.3
        hidden.append(set(numbers[is_hidden, 0].tolist()))
    assert hidden[0] != hidden[1]


def test_some_identities_are_hidden_so_that_unknown_is_trained() -> None:
    rows = examples(4000)
    rows.features.codes[:] = 1
    settings = replace(SETTINGS, code_dropout=0.05, context_dropout=0.0)
    batches = list(masked_batches(rows, settings, seed=0, epoch=0))
    codes = np.concatenate([batch.features.codes for batch in batches])
    assert np.all((codes == 0).mean(axis=0) > 0.03)
    assert np.all((codes == 0).mean(axis=0) < 0.07)


def test_the_epochs_of_the_best_tune_loss_are_kept() -> None:
    train, tune = examples(400), examples(400, seed=2)
    eager = replace(SETTINGS, learning_rate=0.05, max_epochs=12, patience=3, dropout=0.0)
    losses = []
    for epochs in range(1, 13):
        model = NetTrainer(JennNet, eager).fit(train, None, seed=0, iterations=epochs)
        losses.append(log_loss(model.predict(tune.features), tune.labels))
    stopped = NetTrainer(JennNet, eager).fit(train, tune, seed=0)
    kept = log_loss(stopped.predict(tune.features), tune.labels)
    assert kept == losses[stopped.iterations() - 1]
    assert kept == min(losses[: stopped.iterations() + 3])
    assert stopped.iterations() < 12


def test_a_fit_leaves_the_callers_randomness_and_threads_alone() -> None:
    threads = torch.get_num_threads()
    state = torch.random.get_rng_state()
    trainer = NetTrainer(FeluNet, replace(SETTINGS, batch_norm=True), Compute(threads=1))
    trainer.fit(examples(100), None, seed=0, iterations=1)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_standardiser_leaves_unknown_values_out_and_silences_constant_columns() -> None:
    numbers = np.array(
        [[1, 5e8, np.nan, np.nan], [3, 5e8, np.nan, 2], [np.nan, 5e8, np.nan, 4]], np.float32
    )
    fitted = fit_standardiser(numbers, seed=0)
    np.testing.assert_allclose(fitted.mean, [2, 5e8, 0, 3])
    np.testing.assert_allclose(fitted.scale, [1, 0, 0, 1])


@pytest.mark.parametrize("net", [JennNet, FeluNet])
def test_user_embeddings_start_at_zero_in_felu_and_near_it_in_jenn(
    net: type[JennNet] | type[FeluNet],
) -> None:
    features = examples(2_000).features
    codebook = fit_codebook(COLUMNS, features.codes)
    settings = replace(SETTINGS, max_codes=60)
    fresh = net(COLUMNS, settings, fit_standardiser(features.numbers, seed=0), codebook)
    largest = float(fresh.user_table.weight.detach().abs().max())
    assert largest == 0.0 if net is FeluNet else 0.0 < largest <= 0.005
    assert fresh.user_table.weight.shape == (40, SETTINGS.width)
    n_objects = 60 if net.embeds_objects else 0
    assert fresh.code_table.weight.shape == (n_objects + 3 * 6, SETTINGS.embedding)


def test_codes_that_hardly_a_training_row_shows_are_unknown() -> None:
    codes = np.zeros((3, len(COLUMNS.codes)), np.int32)
    column = 0
    codes[:, column] = [7, 7, 9]
    codebook = fit_codebook(COLUMNS, codes)
    vocabulary = COLUMNS.codes[column].vocabulary
    rows = codebook.rows[vocabulary]
    assert (rows[7], rows[9], rows[0]) == (1, 0, 0)
    assert codebook.size(vocabulary) == 2


@pytest.mark.parametrize("net", [JennNet, FeluNet])
def test_vocabularies_that_show_many_codes_are_not_embedded(
    net: type[JennNet] | type[FeluNet],
) -> None:
    features = examples(2_000).features
    codebook = fit_codebook(COLUMNS, features.codes)
    standardiser = fit_standardiser(features.numbers, seed=0)
    few = net(COLUMNS, replace(SETTINGS, max_codes=6), standardiser, codebook)
    sizes = {vocabulary: codebook.shown(vocabulary) for vocabulary in codebook.rows}
    assert sizes["user"] > 6
    assert few.user_table.weight.shape[0] == 1
    assert few.code_table.weight.shape[0] == sum(n + 1 for n in sizes.values() if n <= 6)


def test_a_net_starts_from_the_logits_among_its_columns_that_are_known() -> None:
    names = ["online_logit", "online_context_logit", "online_linear"]
    columns = Columns(
        tuple(
            NumberColumn(name, Family.ONLINE, Branch.CONTEXT, needs_context="context" in name)
            for name in names
        ),
        COLUMNS.codes,
    )
    numbers = np.array([[1.0, 3.0, 9.0], [1.0, np.nan, 9.0], [np.nan, np.nan, 9.0]], np.float32)
    batch = FeatureBatch(columns, numbers, np.zeros((3, len(columns.codes)), np.int32))
    codebook = fit_codebook(columns, batch.codes)
    for net in (JennNet, FeluNet):
        fresh = net(columns, SETTINGS, fit_standardiser(numbers, seed=0), codebook)
        np.testing.assert_allclose(predict_rows(fresh, batch), [2.0, 1.0, 0.0])


def test_single_axes_of_vectors_are_no_input() -> None:
    columns = replace(
        COLUMNS, numbers=tuple(replace(column, is_axis=True) for column in COLUMNS.numbers)
    )
    batch = examples(50).features
    features = FeatureBatch(columns, batch.numbers, batch.codes)
    codebook = fit_codebook(columns, features.codes)
    fresh = FeluNet(columns, SETTINGS, fit_standardiser(features.numbers, seed=0), codebook)
    for parameter in fresh.parameters():
        nn.init.normal_(parameter)
    before = predict_rows(fresh, features)
    other = FeatureBatch(columns, features.numbers + 1.0, features.codes)
    np.testing.assert_array_equal(predict_rows(fresh, other), before)


def test_the_step_size_grows_and_then_falls_to_almost_nothing() -> None:
    settings = replace(SETTINGS, learning_rate=1.0, warm_up=0.1)
    rates = [settings.rate(done) for done in (0.0, 0.05, 0.1, 0.5, 0.9, 1.0)]
    assert rates[0] < rates[1] < rates[2] > rates[3] > rates[4] > rates[5] > 0.0
    assert rates[3] == pytest.approx(0.5)


def test_averaged_weights_forget_the_first_ones_and_follow() -> None:
    features = examples(50).features
    codebook = fit_codebook(COLUMNS, features.codes)
    net = FeluNet(COLUMNS, SETTINGS, fit_standardiser(features.numbers, seed=0), codebook)
    average = WeightAverage(net, steps=4)
    seen = []
    for value in (6.0, 12.0, 0.0, 0.0, 0.0):
        nn.init.constant_(net.start_scale, value)
        average.update(net)
        seen.append(float(average.weights()["start_scale"]))
    # Shares of the newest: 1, 2/3, 1/2, 2/5, 1/3, and never less than 1/4.
    np.testing.assert_allclose(seen, [6.0, 10.0, 5.0, 3.0, 2.0], rtol=1e-6)


def test_copies_learn_apart_and_the_net_says_their_mean() -> None:
    rows = examples(400)
    codebook = fit_codebook(COLUMNS, rows.features.codes)
    standardiser = fit_standardiser(rows.features.numbers, seed=0)
    for net in (JennNet, FeluNet):
        fresh = net(COLUMNS, replace(SETTINGS, copies=3), standardiser, codebook)
        train_net(fresh, rows, None, seed=0, epochs=2, progress=None)
        with torch.inference_mode():
            votes = fresh.votes(rows.features).numpy()
        assert votes.shape == (400, 3)
        assert len(np.unique(votes.round(6), axis=1).T) == 3
        np.testing.assert_allclose(
            predict_rows(fresh, rows.features), votes.mean(axis=1), rtol=0, atol=1e-5
        )


def test_felu_has_fewer_parameters_than_jenn() -> None:
    features = examples(50).features
    standardiser = fit_standardiser(features.numbers, seed=0)
    codebook = fit_codebook(COLUMNS, features.codes)
    nets = [net(COLUMNS, SETTINGS, standardiser, codebook) for net in (JennNet, FeluNet)]
    sizes = {net.member: sum(p.numel() for p in net.parameters()) for net in nets}
    assert sizes["felu"] < sizes["jenn"]


@pytest.mark.parametrize("architecture", [JennNet, FeluNet])
@pytest.mark.parametrize("rate", [0.03, 0.5, 0.97])
def test_an_untrained_net_says_the_rate_it_begins_at(
    architecture: type[JennNet | FeluNet], rate: float
) -> None:
    features = examples(300).features
    codebook = fit_codebook(COLUMNS, features.codes)
    net = architecture(COLUMNS, SETTINGS, fit_standardiser(features.numbers, seed=0), codebook)
    net.begin_at(rate, features)
    assert predict_rows(net, features).mean() == pytest.approx(np.log(rate / (1.0 - rate)))


def test_few_steps_on_rare_labels_leave_the_level_where_it_is() -> None:
    rows = examples(4000)
    rare = Examples(rows.features, (np.arange(4000) % 50 == 0).astype(np.float32))
    model = NetTrainer(JennNet, replace(SETTINGS, epoch_steps=4)).fit(
        rare, None, seed=0, iterations=1
    )
    said = 1.0 / (1.0 + np.exp(-model.predict(rows.features)))
    assert said.mean() == pytest.approx(0.02, rel=0.3)
