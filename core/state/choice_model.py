"""The choice model: how much more often users take an object than its popularity lets expect.

The log of a user's chance to take an object, over the object's share in the log, is the product of
a taste and a vector:

    log p(object | user) = log share + taste . vector - log Z(taste).

Both are normal beforehand; a vector's mean is what its facets let expect. With log Z to second
order, half of taste' C taste where C is the covariance of the vectors of what is taken, both
sides have normal posteriors in closed form, given the other's means and covariances: variational
Bayes, as in Lim and Teh (2007), and it starts from the normalised factorisation. Without the
covariances (alternating ridge regression) each side would trust the other too much, and grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.state.products import RowMatrix

ROUNDS = 3
"""Turns of each side; more change nothing that shows."""
TASTE_VARIANCE = 1.0 / 4.0
"""Of each entry of a taste, beforehand. Only its product with the next matters."""
OWN_VARIANCE = 1.0 / 6.0
"""Of what an object's vector has of its own, on the strongest axis; on the others it is less by as
much as they are more of noise."""
LEAST_VARIANCE = 1e-4
"""On axes that are all noise."""
FACET_PRECISION = 2.0
"""What a facet value adds to its objects varies less than what they have of their own, by this."""

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    """How sums of vectors become a taste, or the other way round, for any number n of meetings.

    The mean is basis @ ((basis' @ sum) / (n * information + 1)).

    Attributes:
        basis: (size, size) float64; basis @ basis' is the covariance beforehand.
        information: (size,) float64, what one meeting adds, in units of what is known beforehand.
    """

    basis: Matrix
    information: NDArray[np.float64]

    def shrinkage(self, meetings: NDArray[np.float64]) -> Floats:
        """(n, size) the share of the variance beforehand that is left after so many meetings."""
        left = 1.0 / (meetings[:, None] * self.information + 1.0)
        return left.astype(np.float32)

    def means(self, sums: Floats, meetings: NDArray[np.float64]) -> Floats:
        """(n, size) posterior means from (n, size) sums over so many meetings each."""
        basis = self.basis.astype(np.float32)
        return np.asarray(((sums @ basis) * self.shrinkage(meetings)) @ basis.T, np.float32)

    def covariance(self, meetings: NDArray[np.float64]) -> Matrix:
        """(size, size) posterior covariance of whatever a random meeting is of."""
        left = meetings @ self.shrinkage(meetings) / meetings.sum()
        covariance: Matrix = (self.basis * left) @ self.basis.T
        return covariance


@dataclass(frozen=True)
class ChoiceModel:
    """What a fit found.

    Attributes:
        vectors: (objects, size) float32 posterior means.
        facet_means: (values, size) float32, what each facet value adds to its objects.
        of_users: How a user's sum of vectors becomes their taste.
        of_objects: How an object's sum of its listeners' tastes becomes what it has of its own.
    """

    vectors: Floats
    facet_means: Floats
    of_users: Posterior
    of_objects: Posterior


def fit_choices(
    meetings: RowMatrix,
    facets: Sequence[RowMatrix],
    start: Floats,
    strengths: NDArray[np.float64],
) -> ChoiceModel:
    """Fit tastes and vectors to who met what.

    Args:
        meetings: (users, objects) 1 where they met; no empty rows or columns.
        facets: One or more, coarse ones first: of each (objects, values) shares, which sum to 1 a
            row, or to 0 where the object has no value.
        start: (objects, size) vectors to start from, on axes that hang together with none other.
        strengths: (size,) in [0, 1], how much of each axis is no noise; all 0 fits nothing.
    """
    size, n_values = len(strengths), facets[0].shape[1]
    facet_means = np.zeros((n_values, size), np.float32)
    if not strengths.any():
        nothing = Posterior(np.zeros((size, size)), np.zeros(size))
        return ChoiceModel(start, facet_means, nothing, nothing)
    by_object = meetings.T
    of_user = np.asarray(meetings.sum(axis=1), np.float64).ravel()
    of_object = np.asarray(meetings.sum(axis=0), np.float64).ravel()
    like_any = np.full(size, TASTE_VARIANCE)
    spread = OWN_VARIANCE * strengths / strengths.max() + LEAST_VARIANCE
    vectors = start
    of_users = _posterior(like_any, _covariance(vectors, of_object))
    for _ in range(ROUNDS):
        tastes = of_users.means(np.asarray(meetings @ vectors), of_user)
        covariance = _covariance(tastes, of_user) + of_users.covariance(of_user)
        of_objects = _posterior(spread, covariance)
        tastes -= _mean(tastes, of_user)
        evidence = np.asarray(by_object @ tastes) @ of_objects.basis.astype(np.float32)
        expected = _fit_facets(facets, facet_means, evidence, of_object, of_objects)
        own = of_object[:, None] * of_objects.information
        own *= expected @ _inverse(of_objects)
        np.subtract(evidence, own, out=own)
        own *= of_objects.shrinkage(of_object)
        vectors = expected + (own @ of_objects.basis.T).astype(np.float32)
        covariance = _covariance(vectors, of_object) + of_objects.covariance(of_object)
        of_users = _posterior(like_any, covariance)
    return ChoiceModel(vectors, facet_means, of_users, of_objects)


def _fit_facets(
    facets: Sequence[RowMatrix],
    facet_means: Floats,
    evidence: Floats,
    met: NDArray[np.float64],
    of_objects: Posterior,
) -> Floats:
    """Backfit `facet_means` in place; returns (objects, size) what they let expect.

    Worked in the coordinates in which each axis stands for itself. What an object has of its own
    blurs what it tells of its facets.
    """
    inverse = _inverse(of_objects)
    told = (met[:, None] * of_objects.information).astype(np.float32)
    blur = of_objects.shrinkage(met)
    blurred = told * blur
    expected = np.zeros_like(evidence)
    for facet in facets:
        expected += np.asarray(facet @ facet_means)
    for facet in facets:
        has_value = np.asarray(facet.sum(axis=0)).ravel() > 0
        by_value = facet.T
        others = expected - np.asarray(facet @ facet_means)
        left = others @ inverse  # in place from here on: these arrays are what it costs
        left *= told
        np.subtract(evidence, left, out=left)
        left *= blur
        added = by_value @ left
        weight = by_value @ blurred + np.float32(FACET_PRECISION)
        means = ((added / weight) @ of_objects.basis.T).astype(np.float32)
        facet_means[has_value] = means[has_value]
        expected = others + np.asarray(facet @ facet_means)
    return expected


def _posterior(variances: NDArray[np.float64], covariance: Matrix) -> Posterior:
    """Of one side with these variances beforehand, from the covariance of what it meets."""
    root = np.sqrt(variances)
    information, turn = np.linalg.eigh(root[:, None] * covariance * root)
    return Posterior(root[:, None] * turn, np.maximum(information, 0.0))


def _inverse(posterior: Posterior) -> Floats:
    """(size, size) that leads from row vectors to the coordinates of `basis`."""
    return np.linalg.inv(posterior.basis).T.astype(np.float32)


def _mean(vectors: Floats, weights: NDArray[np.float64]) -> Floats:
    return np.asarray((weights / weights.sum()) @ vectors, np.float32)


def _covariance(vectors: Floats, weights: NDArray[np.float64]) -> Matrix:
    centred = vectors - _mean(vectors, weights)
    shares = (weights / weights.sum()).astype(np.float32)
    return np.asarray((centred * shares[:, None]).T @ centred, np.float64)
