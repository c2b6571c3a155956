"""CatBoost over the columns of a sound: the half of the genre model that finds thresholds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from catboost import CatBoostClassifier
from numpy.typing import NDArray

from domains.music.audio.genre_labels import GenreLabels

_SURE = 1e-4
"""Probabilities are kept so far from 0 and 1."""
_SAMPLED: Mapping[str, Any] = {"bootstrap_type": "Bernoulli", "subsample": 0.7}
_FEW = 25
"""Of fewer tracks every tree takes all: a sample of few may be empty, which CatBoost refuses."""


class GenreTrees:
    """Fitted trees; immutable."""

    def __init__(self, classifier: CatBoostClassifier) -> None:
        self._classifier = classifier

    @classmethod
    def fit(
        cls, values: NDArray[np.float64], labels: GenreLabels, seed: int, n_threads: int
    ) -> GenreTrees:
        """Fit shallow trees on `(n, n_columns)` values.

        There are many columns for few tracks: each split may choose among a fifth of them only, so
        that no two or three lucky ones decide everything.
        """
        targets = labels.marks if labels.several else labels.marks.argmax(axis=1)
        rest = {} if labels.several else {"classes_count": len(labels.genres)}
        classifier = CatBoostClassifier(
            iterations=300,
            depth=3,
            learning_rate=0.06,
            l2_leaf_reg=5.0,
            rsm=0.2,
            **({"bootstrap_type": "No"} if len(values) < _FEW else _SAMPLED),
            loss_function="MultiLogloss" if labels.several else "MultiClass",
            allow_const_label=True,
            random_seed=seed,
            thread_count=n_threads,
            allow_writing_files=False,
            logging_level="Silent",
            **rest,
        )
        # Of a genre that a fold lacks CatBoost complains on stderr, silent or not.
        unheard = io.StringIO()
        return cls(classifier.fit(values, targets, log_cout=unheard, log_cerr=unheard))

    def logits(self, values: NDArray[np.float64], several: bool) -> NDArray[np.float64]:
        """Return `(n, n_genres)`: log-odds if genres do not exclude each other, else log-shares."""
        shares = np.asarray(self._classifier.predict_proba(values, thread_count=1))
        shares = np.clip(shares, _SURE, 1.0 - _SURE)
        logits: NDArray[np.float64] = np.log(shares)
        return logits - np.log1p(-shares) if several else logits

    def save(self, path: Path) -> None:
        """Write CatBoost's own format; equal models write equal bytes."""
        metadata = self._classifier.get_metadata()
        metadata["train_finish_time"] = ""
        metadata["model_guid"] = ""
        self._classifier.save_model(str(path), format="cbm")

    @classmethod
    def load(cls, path: Path) -> GenreTrees:
        """Read what `save` wrote; CatBoostError if it cannot."""
        classifier = CatBoostClassifier()
        classifier.load_model(str(path), format="cbm")
        return cls(classifier)
