"""The choice model, against its equations written out and against tastes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from core.state.choice_model import ChoiceModel, Posterior, fit_choices
from core.state.factorisation import factorise

Matrix = NDArray[np.floating]
TRUE_SIZE, SIZE = 3, 6
N_USERS, N_OBJECTS, N_ARTISTS = 400, 300, 30


class World:
    """Users who take objects by popularity and taste, as the model says; artists share a vector."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.artist = rng.integers(0, N_ARTISTS, N_OBJECTS)
        of_artists = rng.normal(0, 0.7, (N_ARTISTS, TRUE_SIZE))
        self.vectors = of_artists[self.artist] + rng.normal(0, 0.7, (N_OBJECTS, TRUE_SIZE))
        self.tastes = rng.normal(0, 1.0, (N_USERS, TRUE_SIZE))
        popularity = rng.exponential(1.0, N_OBJECTS) ** 2 + 0.02
        chance = popularity * np.exp(self.tastes @ self.vectors.T)
        chance /= chance.sum(axis=1, keepdims=True)
        taken = np.zeros((N_USERS, N_OBJECTS), np.float32)
        for user in range(N_USERS):
            taken[user, rng.choice(N_OBJECTS, 40, p=chance[user])] = 1.0
        self.kept = np.flatnonzero(taken.any(axis=0))
        self.taken = taken[:, self.kept]
        self.truth = self.tastes @ self.vectors[self.kept].T
        one_each = (
            np.ones(len(self.kept), np.float32),
            (np.arange(len(self.kept)), self.artist[self.kept]),
        )
        self.facet = csr_matrix(one_each, (len(self.kept), N_ARTISTS))

    def fit(self, *, with_artists: bool = True) -> ChoiceModel:
        matrix = csr_matrix(self.taken)
        axes = factorise(matrix, SIZE, seed=0)
        facet = self.facet if with_artists else csr_matrix(self.facet.shape, dtype=np.float32)
        return fit_choices(matrix, [facet], axes.vectors, axes.strengths)

    def right(self, tastes: Matrix, vectors: Matrix, objects: NDArray[np.bool_]) -> float:
        """Correlation of the products with the truth, where pairs have not met."""
        unmet = (self.taken == 0) & objects
        return float(np.corrcoef((tastes @ vectors.T)[unmet], self.truth[unmet])[0, 1])


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def of_users(world: World, model: ChoiceModel) -> Matrix:
    sums = world.taken @ model.vectors
    return model.of_users.means(sums, world.taken.sum(axis=1).astype(np.float64))


def test_a_posterior_mean_solves_the_ridge_equations_for_any_number_of_meetings() -> None:
    rng = np.random.default_rng(2)
    before = np.diag([0.5, 0.2, 0.1])
    spread = rng.normal(size=(3, 9))
    covariance = spread @ spread.T / 9
    information, turn = np.linalg.eigh(np.sqrt(before) @ covariance @ np.sqrt(before))
    posterior = Posterior(np.sqrt(before) @ turn, information)
    sums, meetings = rng.normal(size=(4, 3)).astype(np.float32), np.array([0.0, 1.0, 7.5, 200.0])
    expected = [
        np.linalg.solve(n * covariance + np.linalg.inv(before), total)
        for n, total in zip(meetings, sums, strict=True)
    ]
    np.testing.assert_allclose(posterior.means(sums, meetings), expected, rtol=1e-4, atol=1e-5)
    left = (
        sum(n * np.linalg.inv(n * covariance + np.linalg.inv(before)) for n in meetings)
        / meetings.sum()
    )
    np.testing.assert_allclose(posterior.covariance(meetings), left, rtol=1e-4)


def test_matches_are_nearer_to_the_truth_than_those_of_the_factorisation(world: World) -> None:
    model = world.fit()
    start = factorise(csr_matrix(world.taken), SIZE, seed=0).vectors
    everything = np.ones(len(world.kept), bool)
    plain = world.right(world.taken @ start, start, everything)
    fitted = world.right(of_users(world, model), model.vectors, everything)
    assert fitted > plain + 0.03
    assert fitted > 0.8


def test_objects_with_few_listeners_lean_on_their_artist(world: World) -> None:
    rare = world.taken.sum(axis=0) <= 5
    with_artists, without = world.fit(), world.fit(with_artists=False)
    assert not without.facet_means.any()
    near = world.right(of_users(world, with_artists), with_artists.vectors, rare)
    assert near > world.right(of_users(world, without), without.vectors, rare) + 0.05


def test_more_axes_than_there_are_tastes_do_little_harm(world: World) -> None:
    matrix = csr_matrix(world.taken)
    everything = np.ones(len(world.kept), bool)
    right = []
    for size in (TRUE_SIZE, 8 * TRUE_SIZE):
        axes = factorise(matrix, size, seed=0)
        model = fit_choices(matrix, [world.facet], axes.vectors, axes.strengths)
        right.append(world.right(of_users(world, model), model.vectors, everything))
    assert right[1] > right[0] - 0.03


def test_axes_of_noise_alone_fit_nothing() -> None:
    matrix = csr_matrix(np.ones((5, 4), np.float32))
    axes = factorise(matrix, SIZE, seed=0)
    facet = csr_matrix(np.ones((4, 1), np.float32))
    model = fit_choices(matrix, [facet], axes.vectors, axes.strengths)
    assert not model.vectors.any()
    assert not model.of_users.means(np.ones((5, SIZE), np.float32), np.full(5, 4.0)).any()
