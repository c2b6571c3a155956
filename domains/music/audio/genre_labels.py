"""Genres that tracks are labelled with: one or several each, of any taxonomy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.errors import NotEnoughDataError


@dataclass(frozen=True)
class GenreLabels:
    """The genres of each of n tracks, and whom they are by."""

    sets: tuple[frozenset[str], ...]
    """`(n,)`, at least one genre each."""
    groups: tuple[str, ...]
    """`(n,)`, artist or recording: never on both sides of a split, since a voice and a room are
    easier to recognise than a genre."""
    genres: tuple[str, ...]
    """All genres, ascending; a part of the tracks need not have all of them."""
    several: bool
    """True if a track may have more than one genre: then genres do not exclude each other."""

    @classmethod
    def of(cls, sets: Iterable[Iterable[str]], groups: Sequence[str] | None = None) -> GenreLabels:
        """The genres of each track; by default every track is a group of its own.

        Raises:
            NotEnoughDataError: if there are fewer than two genres.
        """
        frozen = tuple(frozenset(genres) for genres in sets)
        own = tuple(groups) if groups is not None else tuple(map(str, range(len(frozen))))
        genres = tuple(sorted(frozenset[str]().union(*frozen)))
        if len(genres) < 2:
            raise NotEnoughDataError(
                f"a genre model needs tracks of at least two genres, got {len(genres)}: label more"
            )
        return cls(frozen, own, genres, any(len(labels) > 1 for labels in frozen))

    def __len__(self) -> int:
        return len(self.sets)

    def rows(self, rows: NDArray[np.int_]) -> GenreLabels:
        """The labels of some tracks, among the same genres."""
        return replace(
            self,
            sets=tuple(self.sets[row] for row in rows),
            groups=tuple(self.groups[row] for row in rows),
        )

    @cached_property
    def marks(self) -> NDArray[np.float64]:
        """`(n, n_genres)`, 1 where the track has the genre, else 0."""
        marks = [[float(genre in own) for genre in self.genres] for own in self.sets]
        return np.array(marks, dtype=np.float64).reshape(len(self), len(self.genres))

    def folds(self, n_folds: int, seed: int) -> NDArray[np.int_]:
        """Deal groups into folds so that each fold has something of every genre, if it can.

        Args:
            n_folds: fewer are made where there are fewer groups.
            seed: of the dealing.

        Returns:
            `(n,)`, the fold of each track. A group goes where its genres are rarest so far, large
            groups first.
        """
        random = np.random.default_rng(seed)
        names = np.array(self.groups)
        groups, rows = np.unique(names, return_inverse=True)
        n_folds = min(n_folds, len(groups))
        sizes = np.zeros((len(groups), self.marks.shape[1]))
        np.add.at(sizes, rows, self.marks)
        order = random.permutation(len(groups))
        order = order[np.argsort(-sizes[order].sum(axis=1), kind="stable")]
        held = np.zeros((n_folds, self.marks.shape[1]))
        dealt = np.empty(len(groups), dtype=np.int_)
        for group in order:
            crowded = held @ sizes[group]
            dealt[group] = np.lexsort((random.permutation(n_folds), held.sum(axis=1), crowded))[0]
            held[dealt[group]] += sizes[group]
        return dealt[rows]
