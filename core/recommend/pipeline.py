"""Candidates: what the sources propose and the filters leave, with what became of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Proposals, Query, Stages
from core.state.arrays import DISLIKES, DISTINCT, RECENT
from core.state.state import NOBODY

BEYOND_LIMIT = "beyond the limit of its sources"
"""Said of candidates of which every source had better ones that the filters left."""
SinkReport = Callable[[str, Exception], None]
"""Called with the name of a source that failed, and how: the server logs it."""


@dataclass
class Candidates:
    """Candidates on their way; n of them, distinct."""

    objects: NDArray[np.int32]
    sources: dict[int, list[str]]
    """object -> who proposed it"""
    reasons: dict[int, list[str]]
    fallbacks: list[str]
    proposed: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    """source -> what it proposed, best first"""
    removed: dict[int, str] = field(default_factory=dict)
    """object -> the stage that removed it"""
    quotas: Mapping[str, int] | None = None
    """source -> how many of its proposals count, the stages' limit where it is not said"""


def gather(
    query: Query,
    stages: Stages,
    report: SinkReport,
    quotas: Mapping[str, int] | None = None,
) -> Candidates:
    """Run the sources, or take the candidates that the request names.

    `quotas` say how many proposals of each source count, at most the stages' limit, which is for
    sources that they do not name.

    Sources fail open: one that raises or breaks its contract is left out, reported and named among
    the fallbacks.
    """
    if query.request.candidate_ids:
        known = [query.state.objects.get(i) for i in query.request.candidate_ids]
        objects = [obj for obj in dict.fromkeys(known) if obj != NOBODY]
        unknown = sum(obj == NOBODY for obj in known)
        fallbacks = [f"{unknown} unknown candidate ids left out"] if unknown else []
        named = {obj: ["request"] for obj in objects}
        return Candidates(np.array(objects, np.int32), named, {}, fallbacks)
    found = Candidates(np.zeros(0, np.int32), {}, {}, [], quotas=quotas)
    for source in stages.sources:
        asked = asked_of(query, source.name, stages, quotas)
        if not asked:
            continue
        try:
            proposals = source.propose(query, asked)
            _check_proposals(query, proposals)
        except Exception as error:
            report(source.name, error)
            found.fallbacks.append(f"source {source.name} failed")
            continue
        found.proposed[source.name] = proposals.objects
        for i, obj in enumerate(proposals.objects.tolist()):
            found.sources.setdefault(obj, []).append(source.name)
            if proposals.reasons:
                found.reasons.setdefault(obj, []).append(proposals.reasons[i])
    if query.user == NOBODY:
        found.fallbacks.append("new user: nothing of the past is known")
    found.objects = np.array(list(found.sources), np.int32)
    return found


def asked_of(
    query: Query, source: str, stages: Stages, quotas: Mapping[str, int] | None = None
) -> int:
    """How many proposals a source is asked for: its limit, and what the filters may take.

    A caller who excludes all that is popular must not be left with an empty list; nor a listener of
    what has just been played, or who dislikes much. Pool, facets and novelty take nothing: sources
    look no further than these. A source of limit 0 is not asked.
    """
    limit = _limit(source, stages, quotas)
    of_user = query.state.arrays.users.counts[query.user]
    may_fall = math.ceil(of_user[DISLIKES]) + min(int(of_user[DISTINCT]), RECENT)
    return limit and limit + len(query.request.exclude_ids) + may_fall


def _limit(source: str, stages: Stages, quotas: Mapping[str, int] | None) -> int:
    if quotas is None:
        return stages.source_limit
    return min(quotas.get(source, stages.source_limit), stages.source_limit)


def apply_filters(query: Query, stages: Stages, candidates: Candidates) -> None:
    """Take out what any filter refuses, then what lies beyond a source's limit, remembering why.

    A filter that raises fails the call.
    """
    for step in stages.filters:
        keep = step.keep(query, candidates.objects)
        check_length(step.name, len(keep), len(candidates.objects))
        for obj in candidates.objects[~keep].tolist():
            candidates.removed[obj] = step.name
        candidates.objects = candidates.objects[keep]
    if candidates.proposed:
        best = best_of(stages, candidates, candidates.proposed)
        within = np.isin(candidates.objects, best)
        for obj in candidates.objects[~within].tolist():
            candidates.removed[obj] = BEYOND_LIMIT
        candidates.objects = candidates.objects[within]


def best_of(stages: Stages, candidates: Candidates, sources: Iterable[str]) -> NDArray[np.int32]:
    """What these sources propose within their limits, of what the filters leave; with repeats."""
    best = [np.zeros(0, np.int32)]
    for name in sources:
        proposed = candidates.proposed[name]
        left = proposed[np.isin(proposed, candidates.objects)]
        best.append(left[: _limit(name, stages, candidates.quotas)])
    return np.concatenate(best)


def _check_proposals(query: Query, proposals: Proposals) -> None:
    objects, reasons = proposals.objects, proposals.reasons
    if len(reasons) not in (0, len(objects)):
        raise ValueError(f"a source gave {len(reasons)} reasons for {len(objects)} objects")
    known = (objects > NOBODY) & (objects < query.state.objects.end)
    if not known.all() or len(np.unique(objects)) != len(objects):
        raise ValueError(f"a source must propose distinct known objects, got {objects.tolist()}")


def check_length(stage: str, got: int, expected: int) -> None:
    """ValueError names the stage that answered another number of rows than it was asked."""
    if got != expected:
        raise ValueError(f"stage {stage!r} must answer {expected} rows, got {got}")
