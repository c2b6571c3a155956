from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from domains.music.audio.genre_labels import GenreLabels
from domains.music.audio.genre_report import (
    DEMONSTRATION_BELOW,
    GenreReport,
    calibration_error,
    judge,
    macro_f1,
)

LABELS = GenreLabels.of(
    [{"jazz"}, {"jazz"}, {"rock"}, {"rock"}, {"folk"}], ["a", "b", "c", "d", "e"]
)
"""In order of genre: folk, jazz, rock."""
ROWS = np.array([0, 1, 2, 3])
SHARES = np.array([[0.1, 0.9, 0.0], [0.2, 0.3, 0.5], [0.0, 0.2, 0.8], [0.0, 0.4, 0.6]])
"""The second is taken for rock."""


def test_what_was_held_out_is_counted() -> None:
    report = judge(LABELS, ROWS, SHARES)
    assert (report.n_tracks, report.n_groups) == (5, 5)
    assert (report.n_tested, report.n_right, report.n_right_by_commonest) == (4, 3, 2)
    # jazz: precision 1, recall 1/2; rock: precision 2/3, recall 1; folk does not occur.
    assert report.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert report.calibration_error == pytest.approx((0.1 + 0.5 + 0.2 + 0.4) / 4)
    assert report.untested_genres == ("folk",)


def test_a_genre_of_one_group_is_untested_however_many_tracks_it_has() -> None:
    labels = GenreLabels.of([{"jazz"}, {"jazz"}, {"rock"}, {"rock"}], ["a", "b", "c", "c"])
    report = judge(labels, np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert report.untested_genres == ("rock",)
    assert "not tested, one artist or recording each: rock." in report.note


def test_without_anything_held_out_the_note_says_so() -> None:
    report = judge(LABELS, np.array([], dtype=np.int_), np.empty((0, 3)))
    assert (report.n_tested, report.n_right, report.n_right_by_commonest) == (0, 0, 0)
    assert (report.macro_f1, report.calibration_error) == (0.0, 0.0)
    assert "could not be tested" in report.note


def test_the_note_gives_the_figures() -> None:
    note = judge(LABELS, ROWS, SHARES).note
    assert note == (
        "Demonstration only: fitted on 5 labelled tracks of 5 artists or recordings; on artists or "
        "recordings held out it was right for 3 of 4, always guessing the commonest genre for 2; "
        "not tested, one artist or recording each: folk."
    )


@pytest.mark.parametrize("n_groups", [DEMONSTRATION_BELOW - 1, DEMONSTRATION_BELOW])
def test_a_genre_of_few_groups_makes_a_demonstration(n_groups: int) -> None:
    labels = GenreLabels.of([{"jazz"}] * n_groups + [{"rock"}] * 50)
    report = judge(labels, np.array([0]), np.array([[1.0, 0.0]]))
    assert report.demonstration == (n_groups < DEMONSTRATION_BELOW)
    assert report.note.startswith("Demonstration only" if report.demonstration else "Genre model")


def test_any_genre_of_a_track_that_has_several_is_right() -> None:
    labels = GenreLabels.of([{"jazz", "rock"}, {"jazz"}], ["a", "b"])
    report = judge(labels, np.array([0, 1]), np.array([[0.6, 0.9], [0.1, 0.2]]))
    assert (report.n_right, report.n_right_by_commonest) == (1, 2)
    # jazz: found once of twice; rock: found.
    assert report.macro_f1 == pytest.approx((2 / 3 + 1.0) / 2)


def test_a_report_is_rebuilt_from_its_fields() -> None:
    report = judge(LABELS, ROWS, SHARES)
    assert GenreReport.of(asdict(report)) == report
    assert GenreReport.of({**asdict(report), "untested_genres": ["folk"]}) == report
    assert replace(report, untested_genres=()).note.endswith("guessing the commonest genre for 2.")


def test_macro_f1_is_the_mean_of_the_genres_that_occur() -> None:
    labels = LABELS.rows(np.array([0, 4]))
    assert macro_f1(labels, np.array([[0.1, 0.8, 0.1], [0.7, 0.1, 0.2]])) == 1.0
    assert macro_f1(labels, np.array([[0.1, 0.1, 0.8], [0.1, 0.1, 0.8]])) == 0.0
    assert macro_f1(labels.rows(np.array([], dtype=np.int_)), np.empty((0, 3))) == 0.0


@settings(max_examples=50)
@given(
    marks=arrays(np.bool_, st.tuples(st.integers(1, 9), st.just(3))),
    guessed=arrays(np.float64, (9, 3), elements=st.sampled_from([0.25, 0.75])),
)
def test_macro_f1_is_that_of_scikit_learn(
    marks: NDArray[np.bool_], guessed: NDArray[np.float64]
) -> None:
    assume(marks.any())
    sets = tuple(frozenset(np.array(["a", "b", "c"])[own].tolist()) for own in marks)
    labels = GenreLabels(sets, tuple("x" * len(sets)), ("a", "b", "c"), several=True)
    guessed = guessed[: len(marks)]
    of_genres = f1_score(marks, guessed > 0.5, average=None, zero_division=0.0)
    assert macro_f1(labels, guessed) == pytest.approx(of_genres[marks.any(axis=0)].mean())


def test_confidence_as_large_as_the_share_right_has_no_calibration_error() -> None:
    # Ten bins of four: in each, half are right.
    right = np.array([True, False, True, False] * 10)
    assert calibration_error(right, np.full(40, 0.5)) == 0.0
    assert calibration_error(right, np.full(40, 0.9)) == pytest.approx(0.4)
    assert calibration_error(right[:0], np.empty(0)) == 0.0


def test_bins_go_by_confidence() -> None:
    confidence = np.repeat([0.0, 1.0], 10)
    right = np.repeat([False, True], 10)
    order = np.random.default_rng(0).permutation(20)
    assert calibration_error(right[order], confidence[order]) == 0.0
