"""GenreReport: what a genre model was fitted on, and how far it can be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domains.music.audio.genre_labels import GenreLabels

DEMONSTRATION_BELOW = 20
"""A model is a demonstration while any of its genres has fewer groups than this."""
_BINS = 10


@dataclass(frozen=True)
class GenreReport:
    """What the model was fitted on, and how often it was right on groups it had not heard."""

    n_tracks: int
    """Labelled tracks that the model was fitted on."""
    n_groups: int
    """Artists, or recordings where nobody named artists."""
    n_tested: int
    """Tracks that were held out, each once together with all others of its group."""
    n_right: int
    """How many of them have the genre that the model held likeliest."""
    n_right_by_commonest: int
    """How many of them have the commonest genre: the score of always guessing that one."""
    macro_f1: float
    """Mean of the genres' F1 on the held-out tracks; 0 where none was held out."""
    calibration_error: float
    """Mean distance between the probability of the likeliest genre and how often it was right."""
    untested_genres: tuple[str, ...]
    """Genres of a single group: without it nothing is left to learn them from."""
    demonstration: bool
    """True while a genre has fewer than `DEMONSTRATION_BELOW` groups."""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> GenreReport:
        """Rebuild from its fields."""
        return cls(**{**stored, "untested_genres": tuple(stored["untested_genres"])})

    @property
    def note(self) -> str:
        """One line for whoever reads an answer of the model."""
        kind = "Demonstration only" if self.demonstration else "Genre model"
        if not self.n_tested:
            heard = "no genre has two artists or recordings, so it could not be tested"
        else:
            heard = (
                f"on artists or recordings held out it was right for {self.n_right} of "
                f"{self.n_tested}, always guessing the commonest genre for "
                f"{self.n_right_by_commonest}"
            )
        untested = ", ".join(self.untested_genres)
        alone = f"; not tested, one artist or recording each: {untested}" if untested else ""
        return (
            f"{kind}: fitted on {self.n_tracks} labelled tracks of {self.n_groups} artists or "
            f"recordings; {heard}{alone}."
        )


def judge(
    labels: GenreLabels, rows: NDArray[np.int_], probabilities: NDArray[np.float64]
) -> GenreReport:
    """Report on held-out tracks.

    Args:
        labels: of all tracks fitted on.
        rows: `(n_tested,)`, those that were held out.
        probabilities: `(n_tested, n_genres)` of them, by models that had not heard their groups.
    """
    tested = labels.rows(rows)
    of_genre = {
        (genre, group)
        for genres, group in zip(labels.sets, labels.groups, strict=True)
        for genre in genres
    }
    groups_of = Counter(genre for genre, _ in of_genre)
    commonest = labels.marks.sum(axis=0).argmax()
    guesses = probabilities.argmax(axis=1)
    right = tested.marks[np.arange(len(tested)), guesses] > 0
    return GenreReport(
        n_tracks=len(labels),
        n_groups=len(set(labels.groups)),
        n_tested=len(tested),
        n_right=int(right.sum()),
        n_right_by_commonest=int(tested.marks[:, commonest].sum()),
        macro_f1=macro_f1(tested, probabilities),
        calibration_error=calibration_error(right, probabilities.max(axis=1, initial=0.0)),
        untested_genres=tuple(genre for genre in labels.genres if groups_of[genre] == 1),
        demonstration=min(groups_of.values()) < DEMONSTRATION_BELOW,
    )


def macro_f1(labels: GenreLabels, probabilities: NDArray[np.float64]) -> float:
    """Mean F1 of the genres that occur; where genres do not exclude each other, at one half."""
    if not len(labels):
        return 0.0
    guessed = (
        probabilities > 0.5
        if labels.several
        else np.eye(len(labels.genres))[probabilities.argmax(axis=1)]
    )
    occurring = labels.marks.any(axis=0)
    marks, guessed = labels.marks[:, occurring], guessed[:, occurring]
    found = (marks * guessed).sum(axis=0)
    return float((2.0 * found / (marks.sum(axis=0) + guessed.sum(axis=0))).mean())


def calibration_error(right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> float:
    """Mean distance of confidence and share right over ten bins of equal count; 0 for none."""
    if not len(right):
        return 0.0
    order = np.argsort(confidence, kind="stable")
    bins = [rows for rows in np.array_split(order, _BINS) if len(rows)]
    distances = [len(rows) * abs(right[rows].mean() - confidence[rows].mean()) for rows in bins]
    return float(sum(distances) / len(right))
