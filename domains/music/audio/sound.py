"""Ear: everything Encore hears in a sound, in one place for training, indexing and serving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.features import features_of, warm_up
from domains.music.audio.preview import Preview, preview_of
from domains.music.audio.spectra import analyse
from domains.music.audio.tagger import MSD_TAGS, Tagger

N_WINDOWS = 2
"""Windows of 3 s that the tagger hears of a sound, each a third of the time that hearing takes.

`benchmarks/tagger_windows.py` on the training part of GTZAN, 20 deals of folds: accuracy of the
smooth genre models pooled is 0.764 with one window, 0.800 with two, 0.790 with three, 0.798 with
four, 0.820 with ten or more; log-loss 0.738, 0.643, 0.645, 0.638, 0.595. Two and three cannot be
told apart, and what ten tell besides would take longer than all the rest.
"""

N_UNITS = 200
"""Of the tagger's layer before the tags."""


@dataclass(frozen=True, eq=False)
class Sound:
    """What was heard."""

    features: NDArray[np.float64]
    """`(len(FEATURE_NAMES),)`, librosa's numbers."""
    tags: NDArray[np.float32]
    """`(len(MSD_TAGS),)`, the tagger's probabilities, mean over the windows."""
    units: NDArray[np.float32]
    """`(N_UNITS,)`, the tagger's layer before the tags, mean over the windows."""
    preview: Preview
    """The part that stands for the whole."""


class Ear:
    """Hears sounds; immutable and safe to call from several threads."""

    tag_names = MSD_TAGS

    def __init__(self) -> None:
        self._tagger = Tagger.load("msd")

    def hear(self, samples: NDArray[np.float32]) -> Sound:
        """Describe `(n,)` samples as `decode_bytes` returns them; their volume does not matter."""
        # The tagger alone would take a quiet copy for other music.
        loud = samples / max(samples.max(), -samples.min())
        heard = self._tagger.listen(loud, SAMPLE_RATE, N_WINDOWS)
        spectra = analyse(samples)
        return Sound(
            features_of(spectra),
            heard.tags.mean(axis=0),
            heard.units.mean(axis=0),
            preview_of(spectra),
        )

    def warm_up(self) -> None:
        """Compile and load everything that the first call would wait for, seconds at worst."""
        warm_up()
        self._tagger.listen(np.zeros(4 * SAMPLE_RATE, dtype=np.float32), SAMPLE_RATE, 1)
