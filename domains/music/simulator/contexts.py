"""The context of a play as callers write it, and its codes and effects inside a world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domains.music.simulator.parameters import WorldParameters
from domains.music.simulator.randomness import Floats, Ints

Words = str | Sequence[str | None] | npt.NDArray[np.str_] | npt.NDArray[np.object_] | None


@dataclass(frozen=True)
class Context:
    """Circumstances of one play or of n plays: one value for all rows, or one for each.

    None, an empty string and words that the log does not know count as missing; a missing tab
    and type has the mean effect of the log, zero.
    """

    source_tab: Words = None
    """Tab of the app, such as `my library`."""
    source_screen: Words = None
    """Screen in the tab; it says nothing about the return beyond tab and type."""
    source_type: Words = None
    """Kind of list that was played from, such as `online-playlist`."""


class ContextTable:
    """Codes and effects of tabs and types: the last code of each is "missing or unknown"."""

    def __init__(self, parameters: WorldParameters) -> None:
        rows = parameters.contexts
        self.tabs = sorted({row.tab for row in rows} - {""})
        self.types = sorted({row.type for row in rows} - {""})
        self.row_tabs = self._codes(self.tabs, [row.tab for row in rows])
        self.row_types = self._codes(self.types, [row.type for row in rows])
        self.effects = self._effects(parameters)

    def tab_codes(self, words: Words, size: int) -> Ints:
        """Codes of tabs: (size,)."""
        return self._codes(self.tabs, words, size)

    def type_codes(self, words: Words, size: int) -> Ints:
        """Codes of source types: (size,)."""
        return self._codes(self.types, words, size)

    @staticmethod
    def _codes(known: Sequence[str], words: Words, size: int | None = None) -> Ints:
        code_of = {word: code for code, word in enumerate(known)}
        if words is None or isinstance(words, str):
            codes = np.array([code_of.get(words or "", len(known))], dtype=np.int64)
        else:
            # Tables mark missing words in ways of their own: None, NaN, NA.
            texts = (word if isinstance(word, str) else "" for word in words)
            codes = np.array([code_of.get(text, len(known)) for text in texts], dtype=np.int64)
        return codes if size is None else np.broadcast_to(codes, (size,))

    def _effects(self, parameters: WorldParameters) -> Floats:
        """Effect of tab x type, centred over the log: (n_tabs + 1, n_types + 1).

        A pair that the log does not know has the mean effect of its tab, else of its type.
        """
        shape = (len(self.tabs) + 1, len(self.types) + 1)
        shares, sums = np.zeros(shape), np.zeros(shape)
        for row, tab, kind in zip(parameters.contexts, self.row_tabs, self.row_types, strict=True):
            shares[tab, kind] += row.share
            sums[tab, kind] += row.share * row.effect * parameters.context_scale
        centre = sums.sum() / shares.sum()
        by_tab = sums[:-1].sum(axis=1) / shares[:-1].sum(axis=1)
        by_type = sums[:, :-1].sum(axis=0) / shares[:, :-1].sum(axis=0)
        effects = np.full(shape, centre)
        effects[-1, :-1] = by_type
        effects[:-1, :] = by_tab[:, None]
        known = shares > 0
        effects[known] = sums[known] / shares[known]
        effects[-1, -1] = centre
        centred: Floats = effects - centre
        return centred
