"""From feature columns to the matrices that libraries take in; fitted on training rows alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.models.net_inputs import CLIP, fit_standardiser
from core.state.columns import FeatureBatch


class DenseInputs:
    """The numbers that vary, then the categories, no identities: (n, width) float32.

    A code column that shows few codes becomes one column a code, any other one column with the
    logarithm of its code's share of the rows: counters and rates of these codes are among the
    numbers already. With `standardise` numbers are standardised, unknown ones become the mean and
    outliers are clipped; without, they stay as they are, unknown ones as NaN.
    """

    def __init__(
        self, features: FeatureBatch, *, one_hot: int, standardise: bool, seed: int
    ) -> None:
        self._standardise = standardise
        standardiser = fit_standardiser(features.numbers, seed)
        self._numbers = np.flatnonzero(standardiser.scale > 0)
        self._mean = standardiser.mean[self._numbers]
        self._scale = standardiser.scale[self._numbers]
        self._one_hot: list[tuple[int, NDArray[np.int32]]] = []
        self._shares: list[tuple[int, NDArray[np.float32]]] = []
        for index, column in enumerate(features.columns.codes):
            if column.is_identity:
                continue
            codes = _in_range(features.codes[:, index], column.cardinality)
            counts = np.bincount(codes, minlength=column.cardinality)
            shown = np.flatnonzero(counts)
            if len(shown) <= one_hot:
                self._one_hot.append((index, shown.astype(np.int32)))
            else:
                self._shares.append((index, _log_shares(counts, standardise=standardise)))
        n_codes = sum(len(shown) for _, shown in self._one_hot) + len(self._shares)
        self.width = len(self._numbers) + n_codes

    def matrix(self, batch: FeatureBatch) -> NDArray[np.float32]:
        """Rows (n, width)."""
        out = np.zeros((len(batch), self.width), np.float32)
        n_numbers = len(self._numbers)
        numbers = out[:, :n_numbers]
        numbers[:] = batch.numbers[:, self._numbers]
        if self._standardise:
            numbers -= self._mean
            numbers *= self._scale
            np.nan_to_num(numbers, copy=False)
            np.clip(numbers, -CLIP, CLIP, out=numbers)
        else:
            numbers[np.isinf(numbers)] = np.nan
        place = n_numbers
        for index, shown in self._one_hot:
            out[:, place : place + len(shown)] = batch.codes[:, index, None] == shown
            place += len(shown)
        for index, shares in self._shares:
            out[:, place] = shares[_in_range(batch.codes[:, index], len(shares))]
            place += 1
        return out


class CategoryInputs:
    """Numbers as they are and categories as words, no identities: what CatBoost takes in."""

    def __init__(self, features: FeatureBatch) -> None:
        codes = features.columns.codes
        self._codes = np.flatnonzero([not column.is_identity for column in codes])
        most = max((codes[index].cardinality for index in self._codes), default=1)
        self._words = np.array([str(code).encode() for code in range(most)], dtype=object)

    def parts(self, batch: FeatureBatch) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Numbers (n, numbers) float32 and categories (n, categories) of bytes."""
        codes = _in_range(batch.codes[:, self._codes], len(self._words))
        return np.ascontiguousarray(batch.numbers, np.float32), self._words[codes]


def _in_range(codes: NDArray[np.int32], cardinality: int) -> NDArray[np.int32]:
    """Codes outside their vocabulary are unknown: 0."""
    return np.where((codes < 0) | (codes >= cardinality), 0, codes)


def _log_shares(counts: NDArray[np.intp], *, standardise: bool) -> NDArray[np.float32]:
    """Of each code, one row added; centred and scaled over the rows where asked."""
    logs = np.log1p(counts)
    if standardise:
        mean = np.average(logs, weights=counts)
        deviation = np.sqrt(np.average((logs - mean) ** 2, weights=counts))
        logs = (logs - mean) / max(float(deviation), 1e-6)
    return logs.astype(np.float32)
