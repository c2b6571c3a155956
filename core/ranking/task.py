"""The rank task: an ensemble fitted on candidate lists, with the quotas of the sources."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.ensemble import Ensemble, Profile, fit_stacks
from core.errors import BundleError, NotEnoughDataError
from core.models import for_lists
from core.models.base import Progress, Trainers
from core.models.member_files import read_json
from core.ranking.lists import ListTable
from core.ranking.quotas import learn_quotas
from core.ranking.settings import ListSettings
from core.requests import Novelty, RecommendRequest
from core.stack import Stack
from core.state.columns import Columns
from core.training import Fitted, Recipe, fit_as_of

_QUOTAS = "quotas.json"
_NEW_STACKS = "new_stacks.json"
_ENSEMBLE = "ensemble"

KINDS = (Novelty.ANY, Novelty.NEW_ONLY)
"""Of lists: all objects, or new ones alone. What a request says of known ones is of all."""

Stacks = Mapping[Profile, Stack]


@dataclass(frozen=True)
class RankTask:
    """What ranks lists; immutable."""

    ensembles: Mapping[Novelty, Ensemble]
    """By kind of list, of all or of new objects: the same members, each with stacks of its own. Of
    candidate batches: probabilities that the user takes the object within the horizon."""
    quotas: Mapping[Novelty, Mapping[str, int]]
    """By kind of list: source -> how many of its proposals are ranked."""

    def ensemble_of(self, request: RecommendRequest) -> Ensemble:
        """That of a request's kind of list."""
        return self.ensembles[_kind_of(request)]

    def quotas_of(self, request: RecommendRequest) -> Mapping[str, int]:
        """Those of a request's kind of list."""
        return self.quotas[_kind_of(request)]

    def save(self, directory: Path) -> None:
        """Write everything into an existing, empty directory."""
        _write(directory / _QUOTAS, {kind.value: dict(q) for kind, q in self.quotas.items()})
        new = self.ensembles[Novelty.NEW_ONLY].stacks
        _write(directory / _NEW_STACKS, {p.value: stack.to_json() for p, stack in new.items()})
        (directory / _ENSEMBLE).mkdir()
        self.ensembles[Novelty.ANY].save(directory / _ENSEMBLE)

    @classmethod
    def load(cls, directory: Path, columns: Columns, trainers: Trainers) -> RankTask:
        """Read what `save` wrote; BundleError when it is damaged or made for other columns."""
        content, new = read_json(directory / _QUOTAS), read_json(directory / _NEW_STACKS)
        of_all = Ensemble.load(directory / _ENSEMBLE, columns, trainers)
        try:
            quotas = {
                kind: {str(name): int(quota) for name, quota in content[kind.value].items()}
                for kind in KINDS
            }
            stacks = {Profile(name): Stack.from_json(stack) for name, stack in new.items()}
            if stacks.keys() != of_all.stacks.keys():
                raise ValueError(f"profiles {sorted(stacks)}, not {sorted(of_all.stacks)}")
            of_new = Ensemble(of_all.members, stacks)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(
                f"{_QUOTAS} or {_NEW_STACKS} is damaged ({error}): publish the bundle anew"
            ) from error
        return cls({Novelty.ANY: of_all, Novelty.NEW_ONLY: of_new}, quotas)


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
            "stacks": {
                kind.value: {p.value: stack.to_json() for p, stack in ensemble.stacks.items()}
                for kind, ensemble in self.task.ensembles.items()
            },
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
    ensembles = {
        kind: Ensemble(fitted.ensemble.members, _stacks_of(kind, fitted, table)) for kind in KINDS
    }
    quotas = {
        novelty: learn_quotas(found, budget=settings.proposals, limit=source_limit)
        for novelty, found in table.found.items()
    }
    return FittedRank(
        RankTask(ensembles, quotas),
        fitted.blocks.sizes(),
        fitted.iterations,
        table.n_lists,
        {novelty: found.recall(quotas[novelty]) for novelty, found in table.found.items()},
    )


def _stacks_of(kind: Novelty, fitted: Fitted, table: ListTable) -> Stacks:
    """Of one kind of list: members that order repeats well may know little of what is new.

    Where its lists in the stack block are too few, those of both kinds.
    """
    of_kind = table.new_only if kind is Novelty.NEW_ONLY else ~table.new_only
    rows = fitted.blocks.stack & of_kind
    stacks: Stacks
    try:
        stacks = fit_stacks(fitted.before_stack, table.examples.take(rows))
    except NotEnoughDataError:
        stacks = fitted.ensemble.stacks
    return {p: _for_all_candidates(stack, table.negative_share) for p, stack in stacks.items()}


def _kind_of(request: RecommendRequest) -> Novelty:
    return Novelty.NEW_ONLY if request.novelty is Novelty.NEW_ONLY else Novelty.ANY


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _for_all_candidates(stack: Stack, negative_share: float) -> Stack:
    """The stack of examples of which only a share of the negatives was kept, for all of them.

    Leaving out negatives at random multiplies the odds of every example by 1 / share.
    """
    return replace(stack, intercept=stack.intercept + math.log(negative_share))
