"""Brings a sound to the tagger's rate, only where it is listened to.

Exactly what `librosa.resample` makes of the whole sound with `soxr_hq`, up to rounding: a filter of
finite length sees no more than a neighbourhood.
"""

from __future__ import annotations

import math

import numpy as np
import soxr
from numpy.typing import NDArray

_MARGIN = 200
"""Samples, of the lower of both rates, that the filter looks at on either side, and some more."""


class Resampled:
    """A sound as it would be at another rate; a stretch of it costs what it is long."""

    def __init__(self, samples: NDArray[np.float32], rate: int, target_rate: int) -> None:
        self._samples = samples
        self._rate = rate
        self._target_rate = target_rate

    def __len__(self) -> int:
        """Samples at the target rate, as many as librosa makes."""
        return math.ceil(len(self._samples) * (self._target_rate / self._rate))

    def stretch(self, first: int, end: int) -> NDArray[np.float32]:
        """Samples `first` to `end` at the target rate, `0 <= first < end <= len(self)`."""
        if self._rate == self._target_rate:
            return self._samples[first:end]
        # Cut only where a sample of either rate falls on one of the other.
        common = math.gcd(self._rate, self._target_rate)
        step, target_step = self._rate // common, self._target_rate // common
        margin = math.ceil(_MARGIN * max(1.0, self._target_rate / self._rate))
        periods = max(0, first - margin) // target_step
        cut = self._samples[periods * step : math.ceil((end + margin) * step / target_step)]
        heard = soxr.resample(cut, self._rate, self._target_rate, quality="soxr_hq")
        wanted = slice(first - periods * target_step, end - periods * target_step)
        found: NDArray[np.float32] = heard[wanted]
        # Of a sound that does not fill its last sample librosa makes a zero.
        return np.pad(found, (0, end - first - len(found)))
