"""Regret of served lists on the simulated log, and off-policy estimates beside the truth.

python -m benchmarks.list_regret [--events 100000] [--seed 1] [--json]

Lets a world live, trains music on its log (all plays), and asks the engine, at the log's end, for
lists of what users never had. The world then says of any user and track

- taken: the user takes the track when they look at it (`World.attraction`: taste, popularity);
- returned: given that they play it, they play it again within 30 days (`World.probability`, in a
  context that is not known): the label of Score;
- taken and returned: the product.

Lists are ranked by the chance that a track is played within 30 days, which comes nearest to the
first. Shown are the means of the first ten: as served, of the oracle that sorts the same candidates
or the whole catalogue (tracks that are out and that the user never had) by that very truth, of
decayed popularity, and at random; regret is what the oracle has more. The cap of three tracks an
artist holds for the served list alone. Intervals are 95 % bootstraps over users.

Then lists are explored at a rate and taken by the truth (users look at every place), and the greedy
policy's value is estimated from that log: how often does the interval hold the true value?
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from benchmarks.true_lists import (
    LISTS,
    Floats,
    Ints,
    Judged,
    UserLists,
    explored,
    judged,
    mean_truths,
    regrets,
)
from core.engine import DomainEngine, load_bundle
from core.log import EventLog
from core.models import Compute
from core.models.base import drawn
from core.publish import evaluate_log, publish
from core.recommend.rerankers import CapPerFacet
from core.requests import Novelty, RecommendRequest, UserRef
from domains.music import DOMAIN
from domains.music.simulator import Context, World, simulate

K = 10
CANDIDATES = 1000
"""More than the sources propose in all: so the list that is asked for holds every candidate."""
TAKEN, RETURNED, BOTH = TRUTHS = ("taken", "returned", "taken and returned")
HALF_LIFE_S = 30 * 86400.0
ACTIVE_S = 30 * 86400.0
"""Users are drawn among those with a play so shortly before the end."""


def published(directory: Path, events: int, seed: int, recipe: str) -> tuple[World, EventLog, Path]:
    """A world, its log of all plays, and a bundle trained on that."""
    world = simulate(directory / "log", events=events, seed=seed, format="generic")
    log = DOMAIN.readers["generic"].read(directory / "log")
    steps, compute = replace(DOMAIN.recipe, trainers=recipe), Compute(threads=1)
    # Genre by sound says nothing of lists and would cost a model of its own.
    domain = replace(DOMAIN, genre=None)
    evaluated = evaluate_log(domain, log, steps, compute, seed=seed, with_lists=True)
    bundle = publish(
        domain, log, evaluated, steps, compute, root=directory / "bundles", version="v1",
        published_at_s=float(log.time_s[-1]), commit="", seed=seed,
    )  # fmt: skip
    return world, log, bundle


def sampled_users(log: EventLog, size: int, seed: int) -> Ints:
    """Indices in the log, rising, of users with a play of late."""
    of_late = log.time_s >= log.time_s[-1] - ACTIVE_S
    active = np.unique(log.user_index[of_late])
    chosen = drawn(seed, "users of lists").choice(active, min(size, len(active)), replace=False)
    return np.sort(chosen)


class Catalogue:
    """The tracks of the world at one moment, as lists may draw from them."""

    def __init__(self, world: World, log: EventLog, now_s: float) -> None:
        self._tracks = world.object_indices(list(log.objects.ids))
        self._log = log
        self._is_out = world.catalogue.released_s <= now_s
        fades = np.exp2(-(now_s - log.time_s) / HALF_LIFE_S)
        self.popularity = np.bincount(
            self._tracks[log.object_index], weights=fades, minlength=len(world.catalogue)
        )
        order = np.argsort(log.user_index, kind="stable")
        self._events = np.split(order, np.cumsum(np.bincount(log.user_index))[:-1])

    def allowed(self, user: int) -> Ints:
        """Tracks that are out and that a user of the log never had, rising."""
        never_had = self._is_out.copy()
        never_had[self._tracks[self._log.object_index[self._events[user]]]] = False
        return np.flatnonzero(never_had)


def lists_of(
    world: World, log: EventLog, engine: DomainEngine, users: Ints, now_s: float
) -> list[UserLists]:
    """What the engine serves to each user, beside what else it could have served."""
    catalogue = Catalogue(world, log, now_s)
    lists = []
    for user in users.tolist():
        request = RecommendRequest(
            UserRef(log.users.ids[user]), size=CANDIDATES, novelty=Novelty.NEW_ONLY
        )
        slate = engine.recommend(request, now_s)
        if slate.fallbacks:
            raise RuntimeError(f"a list that fell back tells nothing: {slate.fallbacks}")
        capped = [i for i, stage in slate.removed.items() if stage == CapPerFacet(1).name]
        ranked = world.object_indices([item.object_id for item in slate.items])
        allowed = catalogue.allowed(user)
        lists.append(
            UserLists(
                ranked=ranked,
                probabilities=np.array([item.probability for item in slate.items]),
                candidates=np.concatenate([ranked, world.object_indices(capped)]),
                allowed=allowed,
                popular=allowed[np.argsort(-catalogue.popularity[allowed], kind="stable")],
            )
        )
    return lists


def truths_of(world: World, user_id: str, now_s: float) -> dict[str, Floats]:
    """Truth -> (tracks,) its value for one user, of every track of the world."""
    tracks = np.arange(len(world.catalogue))
    taken = world.attraction(user_id, tracks, now_s)
    returned = world.probability(user_id, tracks, Context(), now_s)
    return {TAKEN: taken, RETURNED: returned, BOTH: taken * returned}


def report(
    world: World, log: EventLog, engine: DomainEngine, *, users: int, rate: float, trials: int,
    seed: int,
) -> dict[str, object]:  # fmt: skip
    """Everything that is printed, as plain values."""
    now_s = float(log.time_s[-1]) + 3601.0
    chosen = sampled_users(log, users, seed)
    lists = lists_of(world, log, engine, chosen, now_s)
    truths = [truths_of(world, log.users.ids[user], now_s) for user in chosen.tolist()]
    regret = {}
    for name in TRUTHS:
        means = [
            mean_truths(shown, truth[name], K, seed * len(lists) + i)
            for i, (shown, truth) in enumerate(zip(lists, truths, strict=True))
        ]
        regret[name] = {
            kind: {what: asdict(estimate) for what, estimate in of_kind.items()}
            for kind, of_kind in regrets(means, seed).items()
        }
    taken = [truth[TAKEN] for truth in truths]
    return {
        "events": len(log),
        "tracks": len(world.catalogue),
        "users": len(lists),
        "candidates": float(np.mean([len(shown.candidates) for shown in lists])),
        "allowed": float(np.mean([len(shown.allowed) for shown in lists])),
        "regret": regret,
        "exploration": rate,
        "policy": policy(lists, taken, rate=rate, trials=trials, seed=seed),
    }


def policy(
    lists: Sequence[UserLists], truths: Sequence[Floats], *, rate: float, trials: int, seed: int
) -> list[dict[str, object]]:
    """For each unit and estimator: how the estimates of all trials lie to the truth."""
    found: dict[tuple[str, str], list[Judged]] = {}
    for trial in range(trials):
        log = explored(lists, truths, rate=rate, k=K, seed=seed * trials + trial)
        for one in judged(log, seed):
            found.setdefault((one.unit.value, one.estimator), []).append(one)
    return [
        {
            "unit": unit,
            "estimator": estimator,
            "inside": sum(one.is_inside for one in every),
            "trials": len(every),
            "truth": float(np.mean([one.truth for one in every])),
            "mean_estimate": float(np.mean([one.estimate.value for one in every])),
            "mean_width": float(np.mean([one.estimate.high - one.estimate.low for one in every])),
            "each": [{**asdict(one.estimate), "truth": one.truth} for one in every],
        }
        for (unit, estimator), every in found.items()
    ]


def _said(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.4f} ({estimate['low']:.4f} to {estimate['high']:.4f})"


def show(found: dict[str, object]) -> None:
    """Print tables."""
    print(
        f"{found['events']} plays, {found['tracks']} tracks, {found['users']} users with"
        f" {found['candidates']:.0f} candidates of {found['allowed']:.0f} tracks never had"
    )
    regret = found["regret"]
    assert isinstance(regret, dict)
    for truth in TRUTHS:
        print(f"\n{truth}: mean of the first {K}; regret to the oracle of the same candidates, of")
        print("the whole catalogue")
        for kind in LISTS:
            of_kind = regret[truth][kind]
            print(f"  {kind:24} " + "; ".join(_said(estimate) for estimate in of_kind.values()))
    print(f"\nthe greedy policy's value, from lists explored at {found['exploration']}")
    rows = found["policy"]
    assert isinstance(rows, list)
    for row in rows:
        print(
            f"  {row['unit']:5} {row['estimator']:14} truth {row['truth']:.4f}, mean estimate"
            f" {row['mean_estimate']:.4f}, mean width {row['mean_width']:.4f}, inside"
            f" {row['inside']} of {row['trials']}"
        )
        for one in row["each"]:
            inside = "inside" if one["low"] <= one["truth"] <= one["high"] else "OUTSIDE"
            print(f"      {_said(one)} truth {one['truth']:.4f} {inside}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000, help="first plays of the world")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=400, help="how many are asked for")
    parser.add_argument("--exploration", type=float, default=0.3)
    parser.add_argument("--trials", type=int, default=20, help="logs of exploring lists")
    parser.add_argument("--recipe", default="quick", help="tiny, quick or standard")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        world, log, bundle = published(
            Path(directory), arguments.events, arguments.seed, arguments.recipe
        )
        engine = DomainEngine(DOMAIN, load_bundle(bundle, DOMAIN))
        found = report(
            world, log, engine, users=arguments.users, rate=arguments.exploration,
            trials=arguments.trials, seed=arguments.seed,
        )  # fmt: skip
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


if __name__ == "__main__":
    main()
