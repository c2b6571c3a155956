"""Random streams by purpose: each is a function of the seed and a name, and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from domains.music.simulator.vocabulary import ContextShare, GenreShare, Share

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for one purpose, so that no draw shifts another's."""
    digest = hashlib.sha256(purpose.encode()).digest()
    sequence = np.random.SeedSequence([seed, int.from_bytes(digest[:8], "little")])
    return np.random.Generator(np.random.Philox(sequence))


def kernel_seed(seed: int, purpose: str) -> np.uint64:
    """The start of a stream inside a compiled kernel."""
    return np.uint64(stream(seed, purpose).integers(0, 2**63))


def draw_rows(
    rng: np.random.Generator, rows: Sequence[ContextShare | GenreShare | Share], size: int
) -> Ints:
    """Row numbers of a table by share: (size,)."""
    shares = np.array([row.share for row in rows])
    cumulated = np.cumsum(shares) / shares.sum()
    drawn = np.searchsorted(cumulated, rng.random(size), side="right")
    return np.minimum(drawn, len(rows) - 1).astype(np.int64)


def ranks(values: Floats) -> Ints:
    """0-based rank of each value, ties by position: (n,)."""
    order = np.argsort(values, kind="stable")
    places = np.empty(len(values), dtype=np.int64)
    places[order] = np.arange(len(values))
    return places


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length one: (n, d)."""
    scaled: Floats = vectors / np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return scaled


def standardised(values: Floats, weights: Floats, groups: Ints | None = None) -> Floats:
    """Values of weighted mean 0 (in each group, if given) and weighted variance 1: (n,).

    Effects are balanced over the expected events in this way so that small worlds, too, show
    the published marginals: without it a few heavy users decide them.
    """
    groups = np.zeros(len(values), dtype=np.int64) if groups is None else groups
    sums = np.bincount(groups, weights=weights * values)
    totals = np.bincount(groups, weights=weights)
    centred = values - (sums / np.maximum(totals, 1e-300))[groups]
    variance = float((weights * centred * centred).sum() / weights.sum())
    return centred / np.sqrt(variance) if variance > 0 else centred
