"""What could be known of a simulated log from its history: ceilings for its test block.

python -m benchmarks.ceiling DIR

`DIR` is what `encore simulate music --format kkbox` wrote. The true logit is a sum of user, track,
context, content and taste. Here all of it is taken from the world but the taste of the users, which
is inferred from what each user had played before the event: the plays are choices by popularity and
taste, so the posterior mean of a taste is that of `core.state.choice_model`, with the track vectors

- known: what no history could tell better;
- fitted to the plays before the test block.

Prints the ROC-AUC on the test block of the truth, of both, and of the truth without taste.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from core.state.choice_model import Posterior, fit_choices
from core.state.factorisation import factorise
from domains.music.simulator.contexts import Context
from domains.music.simulator.world import World

HALF_LIFE_S = 20 * 86400.0
TEST_SHARE = 0.2
AXES = 32
PRIOR_DIMENSIONS_WEIGHT = 16.0
"""A taste is a unit vector of as many dimensions: the precision of each entry beforehand."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit
def matches_now(
    users: Ints, tracks: Ints, times: Floats, vectors: Floats, basis: Floats, information: Floats
) -> Floats:
    """(n,) product of what each user likes, by their faded earlier plays, and the track.

    Rows are in order of time.
    """
    size = vectors.shape[1]
    sums = np.zeros((users.max() + 1, size))
    weights = np.zeros(users.max() + 1)
    latest = np.full(users.max() + 1, times[0])
    out = np.empty(len(users))
    for i in range(len(users)):
        user = users[i]
        faded = 2.0 ** (-(times[i] - latest[user]) / HALF_LIFE_S)
        sums[user] *= faded
        weights[user] *= faded
        latest[user] = times[i]
        turned = (basis.T @ sums[user]) / (weights[user] * information + 1.0)
        out[i] = (basis @ turned) @ vectors[tracks[i]]
        sums[user] += vectors[tracks[i]]
        weights[user] += 1.0
    return out


def known_vectors(world: World, tracks: Ints) -> tuple[Floats, Posterior]:
    """The true vectors less the mean play, and how sums of them become tastes."""
    vectors = world.catalogue.taste * np.sqrt(world.catalogue.taste.shape[1])
    vectors = vectors - vectors[tracks].mean(axis=0)
    covariance = np.cov(vectors[tracks].T)
    information, basis = np.linalg.eigh(covariance / PRIOR_DIMENSIONS_WEIGHT)
    return vectors, Posterior(basis / np.sqrt(PRIOR_DIMENSIONS_WEIGHT), information)


def fitted_vectors(world: World, users: Ints, tracks: Ints, seed: int) -> tuple[Floats, Posterior]:
    """Those of the choice model, fitted to who played what; 0 for tracks that nobody played."""
    who, user = np.unique(users, return_inverse=True)
    what, track = np.unique(tracks, return_inverse=True)
    ones = np.ones(len(user), np.float32)
    meetings = csr_matrix((ones, (user, track)), (len(who), len(what)))
    meetings.data[:] = 1.0
    artists = world.catalogue.artists
    in_artist = (np.ones(len(what), np.float32), (np.arange(len(what)), artists[what]))
    facet = csr_matrix(in_artist, (len(what), int(artists.max()) + 1))
    axes = factorise(meetings, AXES, seed)
    model = fit_choices(meetings, [facet], axes.vectors, axes.strengths)
    vectors = model.facet_means[artists].astype(np.float64)
    vectors[what] = model.vectors
    return vectors, model.of_users


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    world = World.open(directory / "world.json")
    log = pd.read_csv(directory / "train.csv", keep_default_na=False)
    clock = pd.read_csv(directory / "clock.csv").set_index("row_id")
    log["row_id"], log["time"] = log.index, clock.iloc[:, 0]
    log = log.sort_values("time", kind="stable", ignore_index=True)
    users = world.user_indices(log["msno"].to_numpy(str))
    tracks = world.object_indices(log["song_id"].to_numpy(str))
    times = log["time"].to_numpy(np.float64)
    # The log hides some contexts, the oracle does not; taste does not depend on them.
    taste = world.logit_parts(users, tracks, Context("", ""), times).taste
    oracle = pd.read_csv(directory / "oracle.csv").set_index("row_id")["true_probability"]
    truth = logit(oracle.loc[log["row_id"]].to_numpy())
    labels = log["target"].to_numpy()
    test = np.arange(len(log)) >= round((1.0 - TEST_SHARE) * len(log))
    rest = truth - taste

    def score(name: str, logits: Floats) -> None:
        print(f"{name:<58}{roc_auc_score(labels[test], logits[test]):.4f}")

    score("the truth", truth)
    for name, (vectors, tastes) in {
        "tastes inferred, track vectors known": known_vectors(world, tracks[~test]),
        "tastes inferred, track vectors fitted to earlier plays": fitted_vectors(
            world, users[~test], tracks[~test], seed=0
        ),
    }.items():
        basis = np.ascontiguousarray(tastes.basis)
        match = matches_now(users, tracks, times, vectors, basis, tastes.information)
        # What a match counts beside the rest is fitted to the block itself: a ceiling may know it.
        model = LogisticRegression(C=1e6).fit(np.column_stack([match, rest])[test], labels[test])
        slope, of_rest = model.coef_[0]
        score(name, slope * match + of_rest * rest)
    score("without taste", rest)


if __name__ == "__main__":
    main()
