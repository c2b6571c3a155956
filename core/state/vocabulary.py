"""Vocabularies: strings to dense indices, growing as events bring new ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class Vocabulary:
    """Strings and their dense indices from `first` on, in order of arrival; only ever grows."""

    def __init__(self, strings: Iterable[str] = (), *, first: int = 1) -> None:
        self._first = first
        self._strings = list(strings)
        self._index = {string: i + first for i, string in enumerate(self._strings)}

    def __len__(self) -> int:
        return len(self._strings)

    def __contains__(self, string: str) -> bool:
        return string in self._index

    @property
    def strings(self) -> Sequence[str]:
        """All strings in order."""
        return self._strings

    @property
    def end(self) -> int:
        """The index that the next new string will get."""
        return self._first + len(self._strings)

    def get(self, string: str, default: int = 0) -> int:
        """The index of a string, or the default if it is not there."""
        return self._index.get(string, default)

    def add(self, string: str) -> int:
        """The index of a string, new if need be."""
        index = self._index.get(string)
        if index is None:
            index = self.end
            self._strings.append(string)
            self._index[string] = index
        return index

    def add_all(self, strings: NDArray[np.generic], prefix: str = "") -> NDArray[np.int32]:
        """The indices (n,) of many strings, new ones in order of first appearance; '' is 0.

        Each is kept with the prefix before it; the empty string stays empty.
        """
        codes, unique = pd.factorize(pd.Series(strings, dtype=object))
        indices = np.array([self.add(prefix + s) if s else 0 for s in unique.tolist()], np.int32)
        return indices[codes] if len(indices) else np.zeros(len(strings), np.int32)

    def string(self, index: int) -> str:
        """The string of an index."""
        return self._strings[index - self._first]
