"""The columns of a feature batch: name, family, branch and how it reacts to unknown context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch


class Family(StrEnum):
    """The feature families of the state, and the request's own; explanations group by them."""

    STATIC = "static"
    ACTIVITY = "activity"
    AFFINITY = "affinity"
    OUTCOME = "outcome"
    LATENT = "latent"
    SEQUENCE = "sequence"
    CATALOGUE = "catalogue"
    ONLINE = "online"
    CONTENT = "content"
    SOURCE = "source"
    """What a source of candidates says of an object: the rank task alone sees it."""
    CONTEXT = "context"
    """What the request itself says of its circumstances; what the past says of them belongs to
    the family that counted it."""


@dataclass(frozen=True)
class NumberColumn:
    """One float column; NaN means unknown."""

    name: str
    family: Family
    branch: Branch
    """USER: same for all candidates of a request. OBJECT: changes only with the object's own
    state, so nets may cache what they compute from it. CONTEXT: everything else."""
    needs_context: bool = False
    """NaN when the request's context is unknown; masked at random in training."""
    is_axis: bool = False
    """One number of a vector, which says something beside the others only: for nets, not trees."""


@dataclass(frozen=True)
class CodeColumn:
    """One integer column of category codes; 0 is unknown or never seen in training."""

    name: str
    family: Family
    branch: Branch
    cardinality: int
    """Codes are in [0, cardinality)."""
    vocabulary: str
    """Columns of equal vocabulary may share one embedding table (the genre slots)."""
    needs_context: bool = False
    is_identity: bool = False
    """A user or object id: for nets that learn identities, not for trees."""


@dataclass(frozen=True)
class Columns:
    """The layout of feature batches: (n, len(numbers)) float32 and (n, len(codes)) int32."""

    numbers: tuple[NumberColumn, ...]
    codes: tuple[CodeColumn, ...]

    @cached_property
    def masked_numbers(self) -> NDArray[np.intp]:
        """Indices of the number columns that are unknown without context."""
        return np.flatnonzero([c.needs_context for c in self.numbers])

    @cached_property
    def masked_codes(self) -> NDArray[np.intp]:
        """Indices of the code columns that are unknown without context."""
        return np.flatnonzero([c.needs_context for c in self.codes])

    @cached_property
    def cardinalities(self) -> NDArray[np.int32]:
        """(code columns,) bounds of the codes."""
        return np.array([c.cardinality for c in self.codes], np.int32)


@dataclass(frozen=True)
class FeatureBatch:
    """As-of features of n (user, object, context) triples.

    Attributes:
        numbers: (n, len(columns.numbers)) float32, NaN unknown.
        codes: (n, len(columns.codes)) int32.
        object_keys: (n,) int64, or None: equal keys promise equal OBJECT-branch columns (object
            index and version of its own state), so that nets may reuse what they computed.
        one_user: all rows belong to one user and one context: their USER columns are equal.
    """

    columns: Columns
    numbers: NDArray[np.float32]
    codes: NDArray[np.int32]
    object_keys: NDArray[np.int64] | None = None
    one_user: bool = False

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.intp] | slice) -> FeatureBatch:
        """The chosen rows as a batch of their own."""
        keys = None if self.object_keys is None else self.object_keys[rows]
        return FeatureBatch(self.columns, self.numbers[rows], self.codes[rows], keys, self.one_user)

    def without_context(self, rows: NDArray[np.bool_] | None = None) -> FeatureBatch:
        """A copy in which the context of the chosen rows (all by default) is unknown."""
        chosen = slice(None) if rows is None else np.flatnonzero(rows)[:, None]
        numbers, codes = self.numbers.copy(), self.codes.copy()
        numbers[chosen, self.columns.masked_numbers] = np.nan
        codes[chosen, self.columns.masked_codes] = 0
        return FeatureBatch(self.columns, numbers, codes, self.object_keys, self.one_user)


def column_names(columns: Sequence[NumberColumn | CodeColumn]) -> list[str]:
    """The names in order, for frames and reports."""
    return [column.name for column in columns]
