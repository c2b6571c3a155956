"""What lists are like, whether or not they were right: novel, diverse, covering, surprising."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.lists.metrics import Vector
from core.lists.protocol import ListTask

LIST_FIGURES = (
    "novelty",
    "diversity",
    "vector_diversity",
    "serendipity",
    "popularity",
    "popularity_percentile",
)
"""Names of the figures of `list_figures`, in the order of reports."""


@dataclass(frozen=True)
class Catalogue:
    """What the figures of lists need to know of objects.

    Attributes:
        had_by: (n_objects,) int64 how many users had the object before the cut.
        n_users: how many users had anything before the cut.
        percentile: (n_objects,) share of the objects that anyone had that are less popular, ties
            counting one half; 0 for objects nobody had.
        facet: (n_objects,) int64 codes of the main facet, -1 unknown.
        vectors: (n_objects, d) vectors of length one (latent, ALS), 0 unknown; or None.
    """

    had_by: NDArray[np.int64]
    n_users: int
    percentile: Vector
    facet: NDArray[np.int64]
    vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.had_by)


def catalogue_of(
    task: ListTask, main_facet: str, vectors: NDArray[np.float32] | None = None
) -> Catalogue:
    """The catalogue as it stood at a task's cut; `vectors` (n_objects, d) of any length."""
    log = task.log
    rows = task.history[task.visits >= 0]
    pairs = np.unique(log.user_index[rows].astype(np.int64) * len(log.objects) + _objects(task))
    had_by = np.bincount(pairs % len(log.objects), minlength=len(log.objects))
    known = np.sort(had_by[had_by > 0])
    below = np.searchsorted(known, had_by, "left") + np.searchsorted(known, had_by, "right")
    values = log.objects.columns[main_facet].astype(str)
    names, facet = np.unique(values, return_inverse=True)
    facet = np.where(names[facet] == "", -1, facet)
    if vectors is not None:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return Catalogue(
        had_by=had_by,
        n_users=len(np.unique(log.user_index[rows])),
        percentile=np.where(had_by > 0, below / (2 * max(len(known), 1)), 0.0),
        facet=facet.astype(np.int64),
        vectors=vectors,
    )


def _objects(task: ListTask) -> NDArray[np.int32]:
    return task.log.object_index[task.history[task.visits >= 0]]


def list_figures(
    lists: NDArray[np.int32],
    hits: NDArray[np.bool_],
    popular: NDArray[np.int32],
    catalogue: Catalogue,
    k: int,
) -> dict[str, Vector]:
    """Figure -> (n,) its value for each user's list at depth k; NaN for an empty list.

    - novelty: mean self-information of having the listed objects, in bits: log2 of all users ÷
      users who had it before the cut (an object that nobody had counts as had by one).
    - diversity: share of the pairs of listed objects whose values of the main facet differ, of the
      pairs of which both are known.
    - vector_diversity: mean of 1 - cosine over the pairs of which both have a vector.
    - serendipity: share of the k places with a target that the popularity list of that length
      does not have.
    - popularity: how many users had a listed object, on average (ARP); popularity_percentile: the
      mean percentile of that among the objects that anyone had.

    Args:
        lists: (n, depth) object indices, -1 where a list has ended.
        hits: (n, depth) of `hits_of`.
        popular: (n, depth) lists of what is most popular, in the same mode.
        catalogue: of the objects.
        k: how many places count.
    """
    lists, hits, popular = lists[:, :k], hits[:, :k], popular[:, :k]
    is_listed = lists >= 0
    had_by = catalogue.had_by[lists]
    is_popular = (lists[:, :, None] == popular[:, None, :]).any(axis=2)
    empty = ~is_listed.any(axis=1)
    facet = np.where(is_listed, catalogue.facet[lists], -1)
    figures = {
        "novelty": _mean_over(np.log2(catalogue.n_users / np.maximum(had_by, 1)), is_listed),
        "diversity": _share_of_differing(facet),
        "vector_diversity": _vector_diversity(lists, catalogue.vectors),
        "serendipity": np.where(empty, np.nan, (hits & ~is_popular).sum(axis=1) / k),
        "popularity": _mean_over(had_by.astype(np.float64), is_listed),
        "popularity_percentile": _mean_over(catalogue.percentile[lists], is_listed),
    }
    return {name: figures[name] for name in LIST_FIGURES}


def coverage(lists: NDArray[np.int32], catalogue: Catalogue, k: int) -> float:
    """Share of all objects of the catalogue that stand in anyone's first k places."""
    listed = lists[:, :k]
    return len(np.unique(listed[listed >= 0])) / len(catalogue)


def _mean_over(values: Vector, counts: NDArray[np.bool_]) -> Vector:
    """(n,) means of the places that count; NaN where none does."""
    with np.errstate(invalid="ignore"):
        mean: Vector = np.where(counts, values, 0.0).sum(axis=1) / counts.sum(axis=1)
    return mean


def _share_of_differing(codes: NDArray[np.int64]) -> Vector:
    """(n,) share of differing pairs of the codes (n, k), -1 left out; NaN without a pair."""
    is_known = codes >= 0
    first, second = np.triu_indices(codes.shape[1], 1)
    counts = is_known[:, first] & is_known[:, second]
    return _mean_over((codes[:, first] != codes[:, second]).astype(np.float64), counts)


def _vector_diversity(lists: NDArray[np.int32], vectors: NDArray[np.float32] | None) -> Vector:
    if vectors is None:
        return np.full(len(lists), np.nan)
    listed = np.where((lists >= 0)[:, :, None], vectors[lists], np.float32(0.0))
    known = np.abs(listed).sum(axis=2) > 0
    sums = listed.sum(axis=1)
    n = known.sum(axis=1)
    # Over all ordered pairs the cosines add up to the squared length of the sum; the n of an
    # object with itself are 1 each.
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = ((sums * sums).sum(axis=1) - n) / (n * (n - 1))
    return np.where(n > 1, 1.0 - cosine, np.nan)
