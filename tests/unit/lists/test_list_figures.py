"""Novelty, diversity, serendipity, popularity and coverage, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.lists.list_figures import Catalogue, catalogue_of, coverage, list_figures
from core.lists.metrics import Vector
from core.lists.protocol import cut_lists
from tests.unit.lists.list_logs import DAY_S, lists_of, log_of

EIGHT_USERS = Catalogue(
    had_by=np.array([8, 4, 1, 0]),
    n_users=8,
    percentile=np.array([5 / 6, 3 / 6, 1 / 6, 0.0]),
    facet=np.array([0, 0, 1, -1]),
    vectors=np.array([[1, 0], [1, 0], [0, 1], [0, 0]], np.float32),
)


def figures_of(
    *lists: list[int], popular: list[int] | None = None, k: int = 4
) -> dict[str, Vector]:
    taken = lists_of(*lists)
    rival = lists_of(*[popular or [0]] * len(lists))
    return list_figures(taken, np.ones(taken.shape, bool), rival, EIGHT_USERS, k)


def test_novelty_is_how_surprising_it_is_that_someone_has_it() -> None:
    assert figures_of([0], [1], [2], [0, 2])["novelty"].tolist() == [0.0, 1.0, 3.0, 1.5]


def test_what_nobody_had_is_as_novel_as_what_one_had() -> None:
    assert figures_of([3])["novelty"][0] == 3.0


def test_diversity_is_the_share_of_pairs_of_other_facets() -> None:
    diversity = figures_of([0, 1], [0, 2], [0, 1, 2], [0, 2, 3])["diversity"]

    assert diversity.tolist() == pytest.approx([0.0, 1.0, 2 / 3, 1.0])


def test_vectors_tell_how_far_apart_objects_are() -> None:
    diversity = figures_of([0, 1], [0, 2], [0, 1, 2], [0, 2, 3])["vector_diversity"]

    assert diversity.tolist() == pytest.approx([0.0, 1.0, 2 / 3, 1.0])


def test_a_list_without_a_pair_has_no_diversity() -> None:
    figures = figures_of([0], [0, 3])

    assert np.isnan(figures["diversity"]).all()
    assert np.isnan(figures["vector_diversity"]).all()


def test_serendipity_counts_hits_that_popularity_does_not_list() -> None:
    figures = figures_of([0, 1, 2], popular=[1, 0], k=4)

    assert figures["serendipity"][0] == pytest.approx(1 / 4)


def test_popularity_is_a_mean_number_of_users_and_a_mean_percentile() -> None:
    figures = figures_of([0, 1, 3])

    assert figures["popularity"][0] == pytest.approx((8 + 4 + 0) / 3)
    assert figures["popularity_percentile"][0] == pytest.approx((5 / 6 + 3 / 6) / 3)


def test_an_empty_list_has_no_figures() -> None:
    for values in figures_of([-1], [0]).values():
        assert np.isnan(values[0])


def test_coverage_is_of_all_objects() -> None:
    assert coverage(lists_of([0, 1], [1, 2]), EIGHT_USERS, 1) == 2 / 4
    assert coverage(lists_of([0, 1], [1, -1]), EIGHT_USERS, 2) == 2 / 4


def test_a_catalogue_knows_the_history_alone() -> None:
    log = log_of(
        [
            ("ann", "a", 0.0),
            ("ann", "a", 1.0),
            ("bob", "a", 1.0),
            ("bob", "b", 1.5),
            ("ann", "b", 5.0),
            ("ann", "c", 5.0),
        ],
        artists={"a": "X", "b": "X"},
    )

    catalogue = catalogue_of(cut_lists(log, 3.0 * DAY_S), "artist", np.array([[3.0], [0], [-1]]))

    assert catalogue.n_users == 2
    assert catalogue.had_by.tolist() == [2, 1, 0]
    assert catalogue.percentile.tolist() == [0.75, 0.25, 0.0]
    assert catalogue.facet.tolist() == [1, 1, -1]
    assert catalogue.vectors is not None
    assert catalogue.vectors.ravel().tolist() == [1.0, 0.0, -1.0]
