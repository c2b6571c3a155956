"""Retrieval: every index that sources look candidates up in, fitted and stored together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from threadpoolctl import threadpool_limits

from core.retrieval.als import AlsFactors, fit_als
from core.retrieval.bpr import BprFactors, fit_bpr
from core.retrieval.item_neighbours import ItemNeighbours, build_item_neighbours
from core.retrieval.latent import fit_latent_index
from core.retrieval.meetings import meetings_of
from core.retrieval.nearest import NearestVectors
from core.retrieval.popularity import popularity
from core.retrieval.rows import SparseRows
from core.retrieval.segments import Segments, fit_segments
from core.retrieval.similar_users import SimilarUsers, fit_similar_users
from core.retrieval.weighted_neighbours import fit_weighted_neighbours
from core.state.state import State

Progress = Callable[[str, float], None]
"""Called with the name of an index and the fraction of it that is done."""

T = TypeVar("T")
_WEIGHTED, _LATENT = "weighted_neighbours.safetensors", "latent.safetensors"


@dataclass(frozen=True)
class Retrieval:
    """The indices of one moment; immutable. Objects and users that came later have no rows."""

    item_neighbours: ItemNeighbours
    weighted_neighbours: SparseRows
    """A row an object."""
    als: AlsFactors
    bpr: BprFactors
    similar_users: SimilarUsers
    segments: Segments
    latent: NearestVectors | None
    """Of very large catalogues, see `core.retrieval.latent`."""

    def save(self, directory: Path) -> None:
        """Write every index into an existing directory."""
        self.item_neighbours.save(directory)
        self.weighted_neighbours.save(directory / _WEIGHTED)
        self.als.save(directory)
        self.bpr.save(directory)
        self.similar_users.save(directory)
        self.segments.save(directory)
        if self.latent is not None:
            self.latent.save(directory / _LATENT)

    @classmethod
    def load(cls, directory: Path) -> Retrieval:
        """Read what `save` wrote; BundleError names the file that cannot be read."""
        has_latent = (directory / _LATENT).exists()
        return cls(
            item_neighbours=ItemNeighbours.load(directory),
            weighted_neighbours=SparseRows.load(directory / _WEIGHTED),
            als=AlsFactors.load(directory),
            bpr=BprFactors.load(directory),
            similar_users=SimilarUsers.load(directory),
            segments=Segments.load(directory),
            latent=NearestVectors.load(directory / _LATENT) if has_latent else None,
        )


def fit_retrieval(state: State, seed: int, progress: Progress | None = None) -> Retrieval:
    """Fit every index to what the state has counted up to now, on one thread.

    More threads would make the factors of a seed depend on which of them came first.

    Args:
        state: at any moment of a replay; it is only read.
        seed: same seed and state, same indices.
        progress: told before and after each index.
    """

    def fitted(name: str, fit: Callable[[], T]) -> T:
        if progress is None:
            return fit()
        progress(name, 0.0)
        index = fit()
        progress(name, 1.0)
        return index

    with threadpool_limits(1):
        meetings = fitted("meetings", lambda: meetings_of(state))
        popular = popularity(state, -1, state.clock_s)
        similar_users = fitted("similar users", lambda: fit_similar_users(meetings, seed))
        tastes = similar_users.users.vectors
        return Retrieval(
            item_neighbours=fitted("item-to-item", lambda: build_item_neighbours(state.arrays)),
            weighted_neighbours=fitted(
                "weighted item-to-item", lambda: fit_weighted_neighbours(meetings)
            ),
            als=fitted("ALS", lambda: fit_als(meetings, seed)),
            bpr=fitted("BPR", lambda: fit_bpr(meetings, popular, seed)),
            similar_users=similar_users,
            segments=fitted(
                "segments", lambda: fit_segments(state, meetings, popular, tastes, seed)
            ),
            latent=fitted("latent index", lambda: fit_latent_index(state, seed)),
        )
