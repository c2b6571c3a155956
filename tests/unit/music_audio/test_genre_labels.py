from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotEnoughDataError
from domains.music.audio.genre_labels import GenreLabels


def test_genres_are_in_order_and_marked_for_each_track() -> None:
    labels = GenreLabels.of([{"rock"}, {"jazz"}, {"rock"}])
    assert labels.genres == ("jazz", "rock")
    assert labels.marks.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert not labels.several
    assert len(labels) == 3


def test_a_track_may_have_several_genres() -> None:
    labels = GenreLabels.of([{"rock", "jazz"}, {"jazz"}])
    assert labels.several
    assert labels.marks.tolist() == [[1, 1], [1, 0]]


def test_a_part_keeps_all_genres_and_whether_there_may_be_several() -> None:
    labels = GenreLabels.of([{"rock", "jazz"}, {"jazz"}, {"jazz"}], ["a", "b", "c"])
    part = labels.rows(np.array([2, 1]))
    assert (part.groups, part.genres, part.several) == (("c", "b"), labels.genres, True)
    assert part.marks.tolist() == [[1, 0], [1, 0]]
    nothing = labels.rows(np.array([], dtype=np.int_))
    assert (len(nothing), nothing.marks.shape) == (0, (0, 2))


@pytest.mark.parametrize("genres", [[], [{"jazz"}], [{"jazz"}, {"jazz"}]])
def test_fewer_than_two_genres_are_not_enough(genres: list[set[str]]) -> None:
    with pytest.raises(NotEnoughDataError, match=r"at least two genres, got [01]: label"):
        GenreLabels.of(genres)


def test_each_fold_has_something_of_every_genre_where_that_is_possible() -> None:
    labels = GenreLabels.of([{"jazz"}, {"rock"}, {"folk"}] * 4)
    folds = labels.folds(4, seed=0)
    for fold in range(4):
        assert labels.rows(np.flatnonzero(folds == fold)).marks.sum(axis=0).tolist() == [1, 1, 1]


def test_a_large_group_has_a_fold_to_itself() -> None:
    labels = GenreLabels.of([{"jazz"}] * 9 + [{"rock"}] * 2, ["big"] * 8 + ["x", "y", "z"])
    folds = labels.folds(2, seed=3)
    jazz = folds[:9]
    assert set(jazz[:8]) == {jazz[0]}
    assert jazz[8] != jazz[0]


tracks = st.lists(
    st.tuples(st.sets(st.sampled_from("abcd"), min_size=1), st.sampled_from("uvwxyz")),
    min_size=2,
    max_size=30,
).filter(lambda dealt: len({genre for genres, _ in dealt for genre in genres}) > 1)


@given(dealt=tracks, n_folds=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_every_track_is_in_one_fold_and_no_group_in_two(
    dealt: list[tuple[set[str], str]], n_folds: int, seed: int
) -> None:
    labels = GenreLabels.of([genres for genres, _ in dealt], [group for _, group in dealt])
    folds = labels.folds(n_folds, seed)
    assert folds.shape == (len(dealt),)
    assert len(set(zip(labels.groups, folds.tolist(), strict=True))) == len(set(labels.groups))
    # None of the folds is empty: a model is fitted without each of them.
    assert set(folds.tolist()) == set(range(min(n_folds, len(set(labels.groups)))))
    np.testing.assert_array_equal(folds, labels.folds(n_folds, seed))
