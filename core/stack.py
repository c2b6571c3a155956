"""The stack: a logistic regression over member logits, fitted on rows that no member has seen."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from core.errors import BundleError, NotEnoughDataError
from core.models.base import LIST_DEPTH

MIN_PER_CLASS = 10
"""Labels of each kind without which a stack would be noise."""
SHARE_ROWS = 300.0
"""Rows that the pull towards equal shares of the members weighs as much as: members agree so much
that some hundred rows say nothing about which of them is better (docs/experiments.md)."""
LEAST_SHARE = 0.1
"""No member counts for less than this much of an equal share: where a stack block says that none is
of use, the ensemble still ranks as its members do."""
SCALE_ROWS = 50.0
"""Rows that the pull of the common scale towards 1, members being calibrated, weighs as much as."""
SHARE_PULL = 2e-3
"""NDCG that all weight on one of many members must gain on equal shares: less may be chance."""
SHARE_STEPS = 10
"""Shares for lists are tried at so many steps."""


@dataclass(frozen=True)
class Stack:
    """Weights of the members in the ensemble's logit."""

    member_names: tuple[str, ...]
    """Order of the columns of `member_logits`."""
    coefficients: tuple[float, ...]
    """One a member, not negative: no member votes against itself."""
    intercept: float
    """Added to the weighted sum."""

    def __post_init__(self) -> None:
        if len(self.member_names) != len(self.coefficients):
            raise ValueError(
                f"a stack needs one coefficient a member, got {len(self.coefficients)} "
                f"for {self.member_names}"
            )
        if not np.isfinite([*self.coefficients, self.intercept]).all():
            raise ValueError(f"a stack needs finite coefficients, got {self.coefficients}")

    def predict(self, member_logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits (n,) from member logits (n, members).

        Added up member by member, so that a row's answer does not depend on its batch.
        """
        logits = np.full(len(member_logits), self.intercept)
        for index, coefficient in enumerate(self.coefficients):
            logits += coefficient * member_logits[:, index]
        return logits

    def contributions(self, member_logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each member adds to `predict` (n, members): with the intercept they are its sum."""
        parts: NDArray[np.float64] = member_logits * np.array(self.coefficients)
        return parts

    def to_json(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {
            "members": list(self.member_names),
            "coefficients": list(self.coefficients),
            "intercept": self.intercept,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Stack:
        """What `to_json` gave; BundleError when it is something else."""
        try:
            return cls(
                tuple(str(name) for name in content["members"]),
                tuple(float(value) for value in content["coefficients"]),
                float(content["intercept"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"not a stack: {content!r} ({error}). Publish anew") from error


def fit_stack(
    member_names: Sequence[str],
    member_logits: NDArray[np.float64],
    labels: NDArray[np.float32],
) -> Stack:
    """Fit on member logits (n, members) of a later block than the members' own.

    Maximum likelihood under coefficients of at least LEAST_SHARE of an equal one. Logits count by
    their spread, and shares of the members are pulled towards equal ones, as if SHARE_ROWS rows
    more had been seen; how steep and how high the whole is stays nearly free. NotEnoughDataError
    when either label is too rare to say anything.
    """
    _check(member_logits, labels)
    n_members, rate = len(member_names), float(np.mean(labels))
    centre, spread = member_logits.mean(axis=0), member_logits.std(axis=0)
    typical = float(np.median(spread))
    scale = np.divide(typical, spread, out=np.ones(n_members), where=spread > 0)
    design = np.column_stack([(member_logits - centre) * scale, np.ones(len(labels))])
    prior = np.array([1.0 / n_members] * n_members + [np.log(rate / (1.0 - rate))])
    common = np.full((n_members, n_members), 1.0 / n_members)
    # What one row tells of a coefficient, to second order.
    told = rate * (1.0 - rate) * typical**2
    precision = np.zeros((n_members + 1, n_members + 1))
    precision[:-1, :-1] = told * (SHARE_ROWS * (np.eye(n_members) - common) + SCALE_ROWS * common)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits, off = design @ weights, weights - prior
        value = np.sum(np.logaddexp(0.0, logits) - labels * logits) + 0.5 * off @ precision @ off
        slope = design.T @ (expit(logits) - labels) + precision @ off
        return float(value) / len(labels), slope / len(labels)

    bounds = [(LEAST_SHARE / n_members, None)] * n_members + [(None, None)]
    found = minimize(
        loss, prior, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9},
    )  # fmt: skip
    coefficients = found.x[:-1] * scale
    intercept = float(found.x[-1] - coefficients @ centre)
    return Stack(tuple(member_names), tuple(coefficients.tolist()), intercept)


def fit_list_stack(
    member_names: Sequence[str],
    member_logits: NDArray[np.float64],
    labels: NDArray[np.float32],
    lists: NDArray[np.intp],
) -> Stack:
    """Fit on member logits (n, members) of candidates of lists (n,), which lie list by list.

    The members' shares are those that order the lists best, by NDCG at LIST_DEPTH: likelihood would
    favour members that know how much each user takes at all, which orders nothing. Equal shares win
    unless others are better by more than SHARE_PULL allows. How steep and how high the whole is
    comes from all rows, as in `fit_stack`, so that probabilities mean one. NotEnoughDataError as
    there.
    """
    _check(member_logits, labels)
    n_members, spread = len(member_names), member_logits.std(axis=0)
    scale = np.divide(1.0, spread, out=np.ones(n_members), where=spread > 0)
    places = _places_in_lists(lists)

    def worth(shares: NDArray[np.float64]) -> float:
        logits = member_logits @ (shares * scale)
        pull = SHARE_PULL * float(np.sum((shares - 1.0 / n_members) ** 2))
        return _mean_ndcg(logits, labels, lists, places) - pull

    shares = max(_simplex(n_members, SHARE_STEPS), key=worth) * scale
    whole = fit_stack(["all"], (member_logits @ shares)[:, None], labels)
    coefficients = shares * whole.coefficients[0]
    return Stack(tuple(member_names), tuple(coefficients.tolist()), whole.intercept)


def _check(member_logits: NDArray[np.float64], labels: NDArray[np.float32]) -> None:
    positives = int(np.count_nonzero(labels > 0.5))
    if min(positives, len(labels) - positives) < MIN_PER_CLASS:
        raise NotEnoughDataError(
            f"the stack needs at least {MIN_PER_CLASS} labels of each kind, got {positives} "
            f"positive among {len(labels)} rows: take a longer log or a larger stack block"
        )
    if not np.isfinite(member_logits).all():
        raise ValueError("the stack needs finite member logits: a member broke its contract")


def _places_in_lists(lists: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n,) of rows that lie list by list: how many of the same list come before each."""
    begins = np.flatnonzero(np.diff(lists, prepend=-1))
    return np.arange(len(lists)) - np.repeat(begins, np.diff(np.append(begins, len(lists))))


def _mean_ndcg(
    logits: NDArray[np.float64],
    labels: NDArray[np.float32],
    lists: NDArray[np.intp],
    places: NDArray[np.intp],
) -> float:
    """NDCG at LIST_DEPTH of the lists of rows (n,), of those from which anything was taken."""
    discounts = np.where(places < LIST_DEPTH, 1.0 / np.log2(places + 2.0), 0.0)
    # Both leave the rows of a list together, so places fit either order.
    gained = labels[np.lexsort((-logits, lists))] * discounts
    ideal = labels[np.lexsort((-labels, lists))] * discounts
    of_list = lists - lists[0]
    best = np.bincount(of_list, ideal)
    return float(np.mean((np.bincount(of_list, gained)[best > 0]) / best[best > 0]))


def _simplex(n: int, steps: int) -> list[NDArray[np.float64]]:
    """Shares of n members that add up to 1, each at least LEAST_SHARE of an equal one.

    They stand at equal steps; of shares as good the most equal come first.
    """
    least = LEAST_SHARE / n
    cut = [np.array(c) for c in itertools.product(range(steps + 1), repeat=n) if sum(c) == steps]
    shares = [least + (1.0 - n * least) * c / steps for c in cut]
    return sorted(shares, key=lambda s: float(np.sum((s - 1.0 / n) ** 2)))
