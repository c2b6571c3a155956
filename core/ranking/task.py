"""The rank task: an ensemble fitted on candidate lists, with the quotas of the sources."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.ensemble import Ensemble
from core.errors import BundleError
from core.models import for_lists
from core.models.base import Progress, Trainers
from core.models.member_files import read_json
from core.ranking.lists import ListTable
from core.ranking.quotas import learn_quotas
from core.ranking.settings import ListSettings
from core.requests import Novelty, RecommendRequest
from core.stack import Stack
from core.state.columns import Columns
from core.training import Recipe, fit_as_of

_QUOTAS = "quotas.json"
_ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class RankTask:
    """What ranks lists; immutable."""

    ensemble: Ensemble
    """Of candidate batches: probabilities that the user takes the object within the horizon."""
    quotas: Mapping[Novelty, Mapping[str, int]]
    """By kind of list, of all or of new objects: source -> how many of its proposals are ranked."""

    def quotas_of(self, request: RecommendRequest) -> Mapping[str, int]:
        """Those of a request's kind of list."""
        return self.quotas[Novelty.NEW_ONLY if request.novelty is Novelty.NEW_ONLY else Novelty.ANY]

    def save(self, directory: Path) -> None:
        """Write everything into an existing, empty directory."""
        plain = {novelty.value: dict(quotas) for novelty, quotas in self.quotas.items()}
        text = json.dumps(plain, indent=1, sort_keys=True) + "\n"
        (directory / _QUOTAS).write_text(text, encoding="utf-8")
        (directory / _ENSEMBLE).mkdir()
        self.ensemble.save(directory / _ENSEMBLE)

    @classmethod
    def load(cls, directory: Path, columns: Columns, trainers: Trainers) -> RankTask:
        """Read what `save` wrote; BundleError when it is damaged or made for other columns."""
        content = read_json(directory / _QUOTAS)
        try:
            quotas = {
                novelty: {str(name): int(quota) for name, quota in content[novelty.value].items()}
                for novelty in (Novelty.ANY, Novelty.NEW_ONLY)
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(f"{_QUOTAS} is damaged ({error}): publish the bundle anew") from error
        return cls(Ensemble.load(directory / _ENSEMBLE, columns, trainers), quotas)


@dataclass(frozen=True)
class FittedRank:
    """A rank task with how it came about."""

    task: RankTask
    rows: Mapping[str, int]
    """Examples of each block."""
    iterations: Mapping[str, int]
    lists: int
    recall: Mapping[Novelty, float]
    """Share of what was taken that lies within the quotas, by kind of list."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for manifests."""
        return {
            "lists": self.lists,
            "blocks": dict(self.rows),
            "iterations": dict(self.iterations),
            "quotas": {kind.value: dict(quotas) for kind, quotas in self.task.quotas.items()},
            "recall_within_quotas": {
                kind.value: None if math.isnan(recall) else recall
                for kind, recall in self.recall.items()
            },
        }


def fit_rank_task(
    table: ListTable,
    recipe: Recipe,
    settings: ListSettings,
    trainers: Trainers,
    *,
    source_limit: int,
    seed: int,
    progress: Progress | None = None,
) -> FittedRank:
    """Fit members and stacks on lists as `fit_as_of` does, and learn the quotas.

    Raises:
        NotEnoughDataError: too few lists, or too few objects taken from them.
    """
    fitted = fit_as_of(
        table.examples, 1.0, recipe, for_lists(trainers), seed=seed,
        progress=None if progress is None else lambda what, done: progress(f"rank {what}", done),
    )  # fmt: skip
    ensemble = Ensemble(
        fitted.ensemble.members,
        {
            profile: _for_all_candidates(stack, table.negative_share)
            for profile, stack in fitted.ensemble.stacks.items()
        },
    )
    quotas = {
        novelty: learn_quotas(found, budget=settings.proposals, limit=source_limit)
        for novelty, found in table.found.items()
    }
    return FittedRank(
        RankTask(ensemble, quotas),
        fitted.blocks.sizes(),
        fitted.iterations,
        table.n_lists,
        {novelty: found.recall(quotas[novelty]) for novelty, found in table.found.items()},
    )


def _for_all_candidates(stack: Stack, negative_share: float) -> Stack:
    """The stack of examples of which only a share of the negatives was kept, for all of them.

    Leaving out negatives at random multiplies the odds of every example by 1 / share.
    """
    return replace(stack, intercept=stack.intercept + math.log(negative_share))
