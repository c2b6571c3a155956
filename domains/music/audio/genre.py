"""A CatBoost model that names the genre of a sound, with the honest figure of how well it does.

The figure is taken by holding out whole recordings: two excerpts of one recording are nearly the
same sound, and one on each side of the line would make any model look good.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from catboost import CatBoostClassifier, CatBoostError
from numpy.typing import NDArray

from core.errors import BundleError, NotEnoughDataError
from domains.music.audio.features import FEATURE_NAMES

DEMONSTRATION_BELOW = 20
"""A model is a demonstration while any of its genres has fewer recordings than this."""

_MAX_FOLDS = 20
_MODEL_FILE = "genre.cbm"
_REPORT_FILE = "genre.json"


@dataclass(frozen=True)
class GenreReport:
    """What the model was fitted on, and how often it was right on recordings it had not heard."""

    n_clips: int
    """Labelled clips that the model was fitted on."""
    n_recordings: int
    """Recordings that they were cut from."""
    n_tested: int
    """Clips that were held out, each once together with all others of its recording."""
    n_right: int
    """How many of them were given their own genre."""
    n_right_by_commonest: int
    """How many of them have the commonest genre: the score of always guessing that one."""
    untested_genres: tuple[str, ...]
    """Genres with a single recording: without it nothing is left to learn them from."""
    demonstration: bool
    """True while a genre has fewer than `DEMONSTRATION_BELOW` recordings."""

    @property
    def note(self) -> str:
        """One line for whoever reads an answer of the model."""
        kind = "Demonstration only" if self.demonstration else "Genre model"
        if not self.n_tested:
            heard = "no genre has two recordings, so it could not be tested"
        else:
            heard = (
                f"on recordings held out it was right for {self.n_right} of {self.n_tested} clips, "
                f"always guessing the commonest genre for {self.n_right_by_commonest}"
            )
        untested = ", ".join(self.untested_genres)
        alone = f"; not tested, one recording each: {untested}" if untested else ""
        return (
            f"{kind}: fitted on {self.n_clips} labelled clips of {self.n_recordings} recordings; "
            f"{heard}{alone}."
        )


class GenreModel:
    """A fitted model; made by `fit_genre_model` or `GenreModel.load`, and immutable."""

    def __init__(
        self, genres: tuple[str, ...], report: GenreReport, classifier: CatBoostClassifier
    ) -> None:
        self.genres = genres
        self.report = report
        self._classifier = classifier

    def predict_proba(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities `(n, n_genres)` in the order of `genres`.

        Args:
            features: `(n, n_features)`, columns as `FEATURE_NAMES`; n may be 0.
        """
        if not len(features):
            return np.empty((0, len(self.genres)))
        probabilities = self._classifier.predict_proba(features, thread_count=1)
        return np.ascontiguousarray(probabilities, dtype=np.float64)

    def save(self, directory: Path) -> None:
        """Write `genre.cbm` (CatBoost's own format) and `genre.json` into a directory.

        Equal models write equal bytes: CatBoost's time stamp and random id are blanked.
        """
        metadata = self._classifier.get_metadata()
        metadata["train_finish_time"] = ""
        metadata["model_guid"] = ""
        self._classifier.save_model(str(directory / _MODEL_FILE), format="cbm")
        described = {
            "genres": self.genres,
            "feature_names": FEATURE_NAMES,
            "report": asdict(self.report),
            "note": self.report.note,
        }
        (directory / _REPORT_FILE).write_text(
            json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, directory: Path) -> GenreModel:
        """Read what `save` wrote.

        Raises:
            BundleError: if a file is missing or damaged, or was made for other features.
        """
        try:
            described = json.loads((directory / _REPORT_FILE).read_text(encoding="utf-8"))
            genres = tuple(str(genre) for genre in described["genres"])
            report = described["report"]
            report["untested_genres"] = tuple(report["untested_genres"])
            classifier = CatBoostClassifier()
            classifier.load_model(str(directory / _MODEL_FILE), format="cbm")
            model = cls(genres, GenreReport(**report), classifier)
            feature_names = tuple(described["feature_names"])
        except (OSError, ValueError, KeyError, TypeError, CatBoostError) as error:
            raise BundleError(
                f"the genre model in {directory} cannot be read ({error}): build it again"
            ) from error
        if feature_names != FEATURE_NAMES or len(classifier.classes_) != len(genres):
            raise BundleError(
                f"the genre model in {directory} was made for other features or genres: "
                "build it again with this version"
            )
        return model


def fit_genre_model(
    features: NDArray[np.float64],
    genres: Sequence[str],
    seed: int,
    recordings: Sequence[str] | None = None,
) -> GenreModel:
    """Fit the model on all clips, after judging the same recipe on held-out recordings.

    Args:
        features: `(n, n_features)`, columns as `FEATURE_NAMES`.
        genres: `(n,)`, the genre of each clip.
        seed: of the columns that each tree may use.
        recordings: `(n,)`, which recording each clip was cut from; by default each its own.

    Returns:
        The model, carrying its `GenreReport`.

    Raises:
        NotEnoughDataError: if there are fewer than two genres.
    """
    names = tuple(sorted(set(genres)))
    if len(names) < 2:
        raise NotEnoughDataError(
            f"a genre model needs clips of at least two genres, got {len(names)}: label more clips"
        )
    sources = list(recordings) if recordings is not None else [str(i) for i in range(len(genres))]
    codes = np.array([names.index(genre) for genre in genres])
    report = _judge(features, genres, codes, sources, seed)
    return GenreModel(names, report, _fit(features, codes, len(names), seed))


def _judge(
    features: NDArray[np.float64],
    genres: Sequence[str],
    codes: NDArray[np.int_],
    recordings: Sequence[str],
    seed: int,
) -> GenreReport:
    pairs = sorted(set(zip(genres, recordings, strict=True)))
    per_genre = Counter(genre for genre, _ in pairs)
    testable = [pair for pair in pairs if per_genre[pair[0]] > 1]
    # In genre order, so that the recordings of a genre fall into different folds and each fold
    # leaves some of it to learn from. Up to 20 recordings, every fold is one recording.
    fold_of = {pair: rank % _MAX_FOLDS for rank, pair in enumerate(testable)}
    folds = np.array([fold_of.get(pair, -1) for pair in zip(genres, recordings, strict=True)])
    n_right = 0
    for fold in sorted(set(fold_of.values())):
        held = folds == fold
        classifier = _fit(features[~held], codes[~held], len(per_genre), seed)
        guesses = classifier.predict_proba(features[held], thread_count=1).argmax(axis=1)
        n_right += int((guesses == codes[held]).sum())
    tested = Counter(genre for genre, fold in zip(genres, folds, strict=True) if fold >= 0)
    commonest = Counter(genres).most_common(1)[0][0]
    return GenreReport(
        n_clips=len(genres),
        n_recordings=len(set(recordings)),
        n_tested=tested.total(),
        n_right=n_right,
        n_right_by_commonest=tested[commonest],
        untested_genres=tuple(genre for genre in sorted(per_genre) if per_genre[genre] == 1),
        demonstration=min(per_genre.values()) < DEMONSTRATION_BELOW,
    )


def _fit(
    features: NDArray[np.float64], codes: NDArray[np.int_], n_genres: int, seed: int
) -> CatBoostClassifier:
    """Fit shallow, strongly regularised trees.

    There are more columns than clips: each tree sees a tenth of the columns, so that no two or
    three lucky ones decide everything.
    """
    classifier = CatBoostClassifier(
        iterations=100,
        depth=2,
        learning_rate=0.1,
        l2_leaf_reg=10.0,
        rsm=0.1,
        bootstrap_type="No",
        loss_function="MultiClass",
        classes_count=n_genres,
        auto_class_weights="Balanced",
        random_seed=seed,
        thread_count=1,
        allow_writing_files=False,
        logging_level="Silent",
    )
    return classifier.fit(features, codes)
