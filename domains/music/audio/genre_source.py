"""Where genres come from: a model fitted on labels, or, without any, the tagger's own tags."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domains.music.audio.columns import SOUND_COLUMNS
from domains.music.audio.genre import GenreModel
from domains.music.audio.tagger import MSD_TAGS, TagKind, kind_of

_NOTE = (
    "Genres are tags of listeners of Last.fm as a pretrained tagger hears them, their "
    "probabilities scaled to sum to 1: no model was fitted to labels of this catalogue. None of "
    "these tags is classical music."
)


class GenreSource(Protocol):
    """Names the genres of sounds. Probabilities of a sound do not depend on others beside it."""

    @property
    def genres(self) -> tuple[str, ...]:
        """All genres that can be named."""
        ...

    @property
    def several(self) -> bool:
        """True if genres do not exclude each other: then probabilities need not sum to 1."""
        ...

    @property
    def note(self) -> str:
        """One line saying what the genres rest on and how far they can be believed."""
        ...

    def probabilities(
        self, features: NDArray[np.floating], tags: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return `(n, n_genres)` for features `(n, n_features)` and tags `(n, n_tags)`."""
        ...

    def save(self, directory: Path) -> None:
        """Write what `load_genre_source` reads."""
        ...


class TagGenres:
    """The tagger's genre tags: for catalogues without labels."""

    genres = tuple(tag for tag in MSD_TAGS if kind_of(tag) is TagKind.GENRE)
    several = False
    note = _NOTE
    _columns = np.array([kind_of(tag) is TagKind.GENRE for tag in MSD_TAGS])

    def probabilities(
        self, features: NDArray[np.floating], tags: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Each genre tag's part in the sum of all of them."""
        del features
        heard = np.asarray(tags, dtype=np.float64)[:, self._columns]
        shares: NDArray[np.float64] = heard / heard.sum(axis=1, keepdims=True)
        return shares

    def save(self, directory: Path) -> None:
        """There is nothing to keep."""


class FittedGenres:
    """A model fitted on labelled tracks."""

    def __init__(self, model: GenreModel) -> None:
        self.model = model

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres that the tracks were labelled with."""
        return self.model.genres

    @property
    def several(self) -> bool:
        """True if a track had several labels."""
        return self.model.several

    @property
    def note(self) -> str:
        """What the model was fitted on, and how often it was right."""
        return self.model.note

    def probabilities(
        self, features: NDArray[np.floating], tags: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Calibrated on artists that the model had not heard."""
        return self.model.predict_proba(sound_values(features, tags))

    def save(self, directory: Path) -> None:
        """Write the model."""
        self.model.save(directory)


def sound_values(features: NDArray[np.floating], tags: NDArray[np.floating]) -> NDArray[np.float64]:
    """Lay out sounds as `SOUND_COLUMNS`: `(n, n_columns)`."""
    return np.hstack([features, tags]).astype(np.float64)


def load_genre_source(directory: Path) -> GenreSource:
    """Read the model of a directory, or fall back on tags if it holds none.

    Raises:
        BundleError: if there is a model and it is damaged or made for other columns.
    """
    if not GenreModel.lies_in(directory):
        return TagGenres()
    return FittedGenres(GenreModel.load(directory, SOUND_COLUMNS))
