"""Alternating least squares for implicit feedback (Hu, Koren and Volinsky, ICDM 2008).

Of the fit only the objects' side is kept: a user's factors are solved for anew from what the user
has met by now, so that every meeting counts at once and new users need no fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray

from core.retrieval.meetings import Meetings
from core.retrieval.nearest import NearestVectors
from core.retrieval.tensors import load_tensors, save_tensors

FACTORS = 32
"""64 were no better on a grocery log, and twice the work."""
ITERATIONS = 8
REGULARISATION = 0.01
EXACT_UP_TO = 1_000_000
"""Objects among which an exact product finds the best."""
_FILE = "als.safetensors"


@dataclass(frozen=True)
class AlsFactors:
    """The objects' factors.

    Attributes:
        objects: over (n_objects, FACTORS) factors; zero rows of objects that nobody has met.
        gram: (FACTORS, FACTORS) float64, factors times factors over all objects.
    """

    objects: NearestVectors
    gram: NDArray[np.float64]

    def fold_in(
        self, objects: NDArray[np.int32], counts: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """(FACTORS,) of a user who met these objects (m,) so often (m,); zero for who met none.

        The ridge solution of the paper, with the factors of the objects held fixed.
        """
        known = objects < len(self.objects.vectors)
        own = self.objects.vectors[objects[known]].astype(np.float64)
        confidence = np.asarray(_confidence(counts[known]), np.float64)
        left = self.gram + REGULARISATION * np.eye(FACTORS)
        left += (own.T * (confidence - 1.0)) @ own
        return np.asarray(np.linalg.solve(left, confidence @ own), np.float64)

    def save(self, directory: Path) -> None:
        """Write one safetensors file."""
        tensors: dict[str, NDArray[Any]] = {
            "objects": self.objects.vectors,
            "lists": self.objects.lists,
            "gram": self.gram,
        }
        save_tensors(directory / _FILE, tensors)

    @classmethod
    def load(cls, directory: Path) -> AlsFactors:
        """Read what `save` wrote; BundleError when it cannot be read."""
        objects, lists, gram = load_tensors(directory / _FILE, "objects", "lists", "gram")
        return cls(NearestVectors.restored(objects, lists), gram)


def fit_als(meetings: Meetings, seed: int) -> AlsFactors:
    """Factorise the confidences of all meetings."""
    confidences = meetings.counts.copy()
    confidences.data = _confidence(confidences.data).astype(np.float32)
    vectors = np.zeros((confidences.shape[1], FACTORS), np.float32)
    if confidences.nnz:
        met = np.bincount(confidences.indices, minlength=len(vectors)) > 0
        users = int(np.count_nonzero(np.diff(confidences.indptr)))
        # With an axis an object, a small log would be learned by heart and nothing of likeness.
        factors = min(FACTORS, max(min(users, int(met.sum())) // 2, 1))
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=REGULARISATION,
            iterations=ITERATIONS,
            num_threads=1,
            random_state=seed,
        )
        model.fit(confidences, show_progress=False)
        vectors[met, :factors] = model.item_factors[met]
    full = vectors.astype(np.float64)
    search = NearestVectors.over(vectors, exact_up_to=EXACT_UP_TO, seed=seed)
    return AlsFactors(search, full.T @ full)


def _confidence(counts: NDArray[np.number]) -> NDArray[np.floating]:
    """How sure a number of meetings makes that the user likes an object; 1 for one never met."""
    return np.asarray(1.0 + np.log1p(counts))
