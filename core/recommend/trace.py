"""Follows objects through one run of the pipeline, to say where each of them left it and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.fates import Fate, SourcePlace, Stage, WhyNot
from core.recommend.contracts import Query, Stages
from core.recommend.pipeline import BEYOND_LIMIT, Candidates, asked_of
from core.requests import Slate
from core.state.state import NOBODY

WIDER = 10
"""A source is looked at so many times deeper than it is asked in a Recommend."""


@dataclass(frozen=True)
class Trace:
    """A run of the pipeline between filters and scores, with what is asked about."""

    query: Query
    candidates: Candidates
    object_ids: tuple[str, ...]
    """What is asked about, without repeats."""
    objects: tuple[int, ...]
    """Their indices, NOBODY for unknown ones."""
    sources: dict[int, tuple[SourcePlace, ...]]
    """object -> its place in every source that ran"""
    refused_by: dict[int, tuple[str, ...]]
    """object -> all filters that refuse it"""
    scored: NDArray[np.int32]
    """(n,) the candidates that the filters left."""
    others: NDArray[np.int32]
    """(m,) known objects asked about that are none of these."""

    @classmethod
    def of(
        cls,
        query: Query,
        stages: Stages,
        candidates: Candidates,
        object_ids: Sequence[str],
    ) -> Trace:
        """Look into the sources and ask the filters; `candidates` have passed the filters.

        Filters fail closed, as in the pipeline. Sources that fail are passed over.
        """
        names = tuple(dict.fromkeys(object_ids))
        objects = tuple(query.state.objects.get(name) for name in names)
        known = np.array([obj for obj in objects if obj != NOBODY], np.int32)
        scored = candidates.objects
        return cls(
            query,
            candidates,
            names,
            objects,
            _places(query, stages, candidates, known),
            _refusals(query, stages, known),
            scored,
            known[~np.isin(known, scored)],
        )

    def told(self, slate: Slate, probabilities: NDArray[np.float64]) -> WhyNot:
        """What became of each object.

        Args:
            slate: what the rerankers made of the candidates.
            probabilities: (n + m,) of `scored`, then of `others`.
        """
        finite = np.where(np.isfinite(probabilities), probabilities, -1.0)
        by_object = dict(
            zip(np.concatenate([self.scored, self.others]).tolist(), finite.tolist(), strict=True)
        )
        ranks = {item.object_id: place for place, item in enumerate(slate.items, 1)}
        field = _Field(self.scored, finite[: len(self.scored)], ranks, self.candidates)
        return WhyNot(
            tuple(
                self._fate(name, obj, by_object.get(obj), field)
                for name, obj in zip(self.object_ids, self.objects, strict=True)
            ),
            n_scored=len(self.scored),
            n_listed=len(slate.items),
            fallbacks=slate.fallbacks,
        )

    def _fate(self, name: str, obj: int, probability: float | None, field: _Field) -> Fate:
        if obj == NOBODY or probability is None:
            return Fate(name, Stage.UNKNOWN, "nobody has met it, and the catalogue lacks it")
        stage, place = field.stage(name, obj), field.place(obj, probability)
        removed_by = self.candidates.removed.get(obj, "") if stage in _REMOVED else ""
        sources, refused_by = self.sources[obj], self.refused_by[obj]
        score = f"{max(probability, 0.0):.4f}, place {place} of {len(self.scored)}"
        match stage:
            case Stage.FILTERED:
                why = f"the filter {removed_by!r} removed it"
            case Stage.BEYOND_LIMIT:
                why = f"its sources had enough that they put before it: {_nearest(sources)}"
            case Stage.RERANKED:
                why = f"scored {score}; then the reranker {removed_by!r} left it out"
            case Stage.BELOW_END:
                moved = ", since others were put first" if place <= len(field.ranks) else ""
                end = f"below the end of the list, which has {len(field.ranks)} items"
                why = f"scored {score}: {end}{moved}"
            case Stage.LISTED:
                why = f"in the list at rank {field.ranks[name]}: scored {score}"
            case _:
                why = self._never_proposed(sources, refused_by)
        if obj not in self.scored:
            why += f"; its score would have been {score}"
        return Fate(
            name,
            stage,
            why,
            removed_by,
            refused_by,
            sources,
            max(probability, 0.0),
            place,
            field.ranks.get(name),
        )

    def _never_proposed(self, sources: tuple[SourcePlace, ...], refused_by: tuple[str, ...]) -> str:
        if self.query.request.candidate_ids:
            said = "the request names its candidates, and it is none of them"
        elif any(place.place is not None for place in sources):
            said = "no source proposed it: " + _nearest(sources)
        else:
            said = f"no source proposed it, nor would any if asked for {WIDER} times as many"
        if refused_by:
            said += f"; the filter {refused_by[0]!r} would have removed it anyway"
        return said


_REMOVED = frozenset({Stage.FILTERED, Stage.RERANKED})


@dataclass(frozen=True)
class _Field:
    """All that were scored, and the list that became of them."""

    scored: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    ranks: dict[str, int]
    """object id -> rank in the list"""
    candidates: Candidates

    def place(self, obj: int, probability: float) -> int:
        """Place by probability from 1, ties by index, as the pipeline orders them."""
        ahead = (self.probabilities > probability) | (
            (self.probabilities == probability) & (self.scored < obj)
        )
        return 1 + int(ahead.sum())

    def stage(self, name: str, obj: int) -> Stage:
        removed = self.candidates.removed.get(obj)
        if name in self.ranks:
            return Stage.LISTED
        if obj in self.scored:
            return Stage.BELOW_END if removed is None else Stage.RERANKED
        if removed is None:
            return Stage.NOT_PROPOSED
        return Stage.BEYOND_LIMIT if removed == BEYOND_LIMIT else Stage.FILTERED


def _places(
    query: Query,
    stages: Stages,
    candidates: Candidates,
    known: NDArray[np.int32],
) -> dict[int, tuple[SourcePlace, ...]]:
    """For each object, its place in every source; nothing where the request names candidates."""
    found: dict[int, list[SourcePlace]] = {obj: [] for obj in known.tolist()}
    for source in () if query.request.candidate_ids else stages.sources:
        asked = asked_of(query, source.name, stages, candidates.quotas)
        try:
            proposals = source.propose(query, WIDER * (asked or stages.source_limit))
        except Exception:  # noqa: S112 - sources fail open; the run reports those that fail it
            continue
        place_of = {obj: place for place, obj in enumerate(proposals.objects.tolist(), 1)}
        for obj, places in found.items():
            proposed = source.name in candidates.sources.get(obj, ())
            places.append(SourcePlace(source.name, place_of.get(obj), asked, proposed))
    return {obj: tuple(places) for obj, places in found.items()}


def _refusals(query: Query, stages: Stages, known: NDArray[np.int32]) -> dict[int, tuple[str, ...]]:
    """For each object, every filter that refuses it, in their order."""
    kept = [(step.name, step.keep(query, known)) for step in stages.filters]
    return {
        obj: tuple(name for name, keep in kept if not keep[place])
        for place, obj in enumerate(known.tolist())
    }


def _nearest(sources: tuple[SourcePlace, ...]) -> str:
    """Where the object came nearest to being proposed."""
    best = min(
        (place for place in sources if place.place is not None),
        key=lambda place: place.place or 0,
        default=None,
    )
    if best is None:
        return "none of them finds it again"
    return f"{best.source} has it at place {best.place}, and was asked for {best.asked}"
