"""Bayesian personalised ranking (Rendle et al., UAI 2009).

Users' factors are not kept: a linear map, fitted to those of the fit, leads from the mean of what
a user has met by now to their factors. The negatives of the fit are drawn as often as they are met,
so that its products say what is liked beyond popularity: the logarithm of popularity is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from core.retrieval.meetings import Meetings
from core.retrieval.nearest import NearestVectors
from core.retrieval.popularity import log_popularity
from core.retrieval.tensors import load_tensors, save_tensors

FACTORS = 32
ITERATIONS = 12
LEAST_STEPS, MOST_ITERATIONS = 50_000, 200
"""Small logs are gone through more often: from a random start, a few steps lead nowhere."""
LEARNING_RATE = 0.05
REGULARISATION = 0.01
RIDGE = 1e-3
EXACT_UP_TO = 1_000_000
"""Objects among which an exact product finds the best."""
_FILE = "bpr.safetensors"


@dataclass(frozen=True)
class BprFactors:
    """The objects' factors and what leads to a user's.

    Attributes:
        objects: over (n_objects, FACTORS + 1) factors, and last the logarithm of popularity with
            the bias of the fit; zero rows of objects that nobody has met.
        from_mean: (FACTORS, FACTORS) float64, from a mean of factors to a user's.
    """

    objects: NearestVectors
    from_mean: NDArray[np.float64]

    def fold_in(self, objects: NDArray[np.int32]) -> NDArray[np.float64]:
        """(FACTORS + 1,) of a user who met these objects (m,); zero for who met none of the fit."""
        known = objects[objects < len(self.objects.vectors)]
        known = known[self.objects.known[known]]
        if not len(known):
            return np.zeros(FACTORS + 1)
        mean = self.objects.vectors[known, :FACTORS].mean(axis=0, dtype=np.float64)
        return np.append(mean @ self.from_mean, 1.0)

    def save(self, directory: Path) -> None:
        """Write one safetensors file."""
        tensors: dict[str, NDArray[Any]] = {
            "objects": self.objects.vectors,
            "lists": self.objects.lists,
            "from_mean": self.from_mean,
        }
        save_tensors(directory / _FILE, tensors)

    @classmethod
    def load(cls, directory: Path) -> BprFactors:
        """Read what `save` wrote; BundleError when it cannot be read."""
        objects, lists, from_mean = load_tensors(directory / _FILE, "objects", "lists", "from_mean")
        return cls(NearestVectors.restored(objects, lists), from_mean)


def fit_bpr(meetings: Meetings, popular: NDArray[np.float64], seed: int) -> BprFactors:
    """Rank what users have met before what they have not.

    Args:
        meetings: of all users; how often a pair met does not count.
        popular: (n_objects,) decayed meetings of each object.
        seed: same seed and meetings, same factors.
    """
    met = meetings.counts.copy()
    met.data[:] = 1.0
    vectors = np.zeros((met.shape[1], FACTORS + 1), np.float32)
    from_mean = np.eye(FACTORS)
    if met.nnz > 1:  # negatives are drawn from the other pairs
        model = BayesianPersonalizedRanking(
            factors=FACTORS,
            learning_rate=LEARNING_RATE,
            regularization=REGULARISATION,
            iterations=max(ITERATIONS, min(LEAST_STEPS // met.nnz, MOST_ITERATIONS)),
            num_threads=1,
            random_state=seed,
        )
        model.fit(met, show_progress=False)
        known = np.bincount(met.indices, minlength=len(vectors)) > 0
        vectors[known] = model.item_factors[known]
        vectors[known, FACTORS] += log_popularity(popular[known])
        from_mean = _map(met, vectors[:, :FACTORS], model.user_factors[:, :FACTORS])
    return BprFactors(NearestVectors.over(vectors, exact_up_to=EXACT_UP_TO, seed=seed), from_mean)


def _map(
    met: csr_matrix, objects: NDArray[np.float32], users: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(FACTORS, FACTORS) the ridge regression of users' factors on the means of their objects'."""
    lengths = np.diff(met.indptr)
    means = (diags(1.0 / np.maximum(lengths, 1)) @ met @ objects).astype(np.float64)
    means, wanted = means[lengths > 0], users[lengths > 0].astype(np.float64)
    mapped: NDArray[np.float64] = np.linalg.solve(
        means.T @ means + RIDGE * np.eye(FACTORS), means.T @ wanted
    )
    return mapped
