"""What the members and the stacks of the rank task make of lists, judged on later lists.

python -m benchmarks.list_members DOMAIN --data DIR --cut 292d [--users 800] [--json]

The rank task is fitted at an *earlier* cut as `encore evaluate DOMAIN --what lists` fits it at the
one given: what follows the earlier one is never looked at, so it may be chosen by. Shown: NDCG@10
of the next visit and of the horizon, of all and of new objects, with the 95 % bootstrap interval
over users of the paired difference to the full profile:

- full, light: as served, by the stack of the list's kind;
- full, the other kind's stack: what one stack for both kinds of list would risk;
- each member alone;
- columns of the own past, by themselves.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks import past_lists
from benchmarks.past_lists import MODES
from core.ensemble import Ensemble, Profile
from core.models import RECIPES, Compute
from core.ranking.settings import LISTS
from core.ranking.task import KINDS, RankTask, fit_rank_task
from core.requests import RecommendRequest
from core.state.columns import FeatureBatch
from domains import domain_named

PAST = ("own_count", "own_decayed_0", "own_decayed_1", "own_decayed_2")

Scores = dict[str, NDArray[np.float64]]
"""Who says it -> (candidates,)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit the rank task, print one line for each that orders lists."""
    options = past_lists.parser(__doc__).parse_args(arguments)
    made, task = past_lists.read(options)
    domain = domain_named(options.domain)
    name = domain.recipe.trainers
    rank = fit_rank_task(
        made.lists,
        domain.recipe,
        LISTS[name],
        RECIPES[name](Compute(threads=options.threads)),
        source_limit=made.stages.source_limit,
        seed=options.seed,
    )
    if not options.json:
        print(json.dumps(rank.to_json(), indent=1))
    pipeline = made.pipeline(rank)
    judged = past_lists.drawn(task, options.users, options.seed)
    found: dict[str, past_lists.Figures] = defaultdict(dict)
    for mode in MODES:
        lists: dict[str, list[NDArray[np.int32]]] = defaultdict(list)
        for query, candidates, batch in pipeline.unscored(task.users[judged], mode):
            objects = pipeline.of_log[candidates.objects]
            for who, scores in said(rank.task, query.request, batch).items():
                lists[who].append(past_lists.best(objects, scores))
        for who, of_users in lists.items():
            found[who] |= past_lists.ndcg(task, judged, {mode: of_users})
    if options.json:
        print(json.dumps({"rank": rank.to_json(), "ndcg": past_lists.means(found)}, indent=1))
        return
    for who in found:
        past_lists.show(f"{who:30s}", who, found, options.seed)


def said(task: RankTask, request: RecommendRequest, batch: FeatureBatch) -> Scores:
    """What each makes of the candidates of a request."""
    served = task.ensemble_of(request)
    other = next(task.ensembles[kind] for kind in KINDS if task.ensembles[kind] is not served)
    predictions = {profile: served.predict(batch, profile) for profile in served.stacks}
    full = predictions[Profile.FULL]
    numbers = [column.name for column in batch.columns.numbers]
    return {
        **{profile.value: predicted.logits for profile, predicted in predictions.items()},
        "full, the other kind's stack": _full(other, batch),
        **full.member_logits,
        **{
            name: np.nan_to_num(batch.numbers[:, numbers.index(name)].astype(np.float64))
            for name in PAST
            if name in numbers
        },
    }


def _full(ensemble: Ensemble, batch: FeatureBatch) -> NDArray[np.float64]:
    return ensemble.predict(batch, Profile.FULL).logits


if __name__ == "__main__":
    main()
