"""The shortlist: candidates that passed the filters, widened where the facet filters leave few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from core.recommend.allowed import allowed_objects, passes_facets
from core.recommend.contracts import Query, Stages
from core.recommend.pipeline import Candidates, SinkReport, apply_filters, asked_of, best_of, gather
from core.recommend.sources.queued import Queued


def shortlist(
    query: Query,
    stages: Stages,
    report: SinkReport,
    quotas: Mapping[str, int] | None = None,
) -> Candidates:
    """What the sources propose and the filters leave.

    A request that lets others follow has the sources asked twice: within its facet filters, so that
    a rare match is found, and without them only if the matches do not fill the list.

    Quotas are learned from users of whom something is known. Of others most sources know nothing:
    where the rest do not fill the list within their quotas, they have their limits instead.
    """
    found = _gathered(query, stages, report, quotas)
    request = query.request
    if not (request.fall_back and request.facet_filters):
        return found
    matches = _matches(query, found)
    if matches < request.size and not request.candidate_ids:
        anywhere = allowed_objects(query.state, request, query.user, facets=False)
        wider = replace(query, pool=anywhere)
        others = _gathered(wider, stages, report, quotas)
        found = _joined(found, others)
    if matches < min(len(found.objects), request.size):
        found.fallbacks.append(
            f"facet filters: {matches} objects match, what follows does not match"
        )
    return found


def _gathered(
    query: Query, stages: Stages, report: SinkReport, quotas: Mapping[str, int] | None
) -> Candidates:
    """Proposed and filtered, within the quotas unless they make the list shorter than asked."""
    failed: set[str] = set()

    def report_once(source: str, error: Exception) -> None:
        if source not in failed:
            report(source, error)
        failed.add(source)

    found = gather(query, stages, report_once, quotas)
    apply_filters(query, stages, found)
    # The last queue does not count: whether a list is drawn wider must not hang on that it was
    # asked for before, or the same request would be answered by turns.
    others = (name for name in found.proposed if name != Queued.name)
    if quotas is None or len(set(best_of(stages, found, others))) >= query.request.size:
        return found
    cut = (
        len(proposed) >= asked_of(query, name, stages, quotas)
        for name, proposed in found.proposed.items()
    )
    if not any(cut):
        return found
    found = gather(query, stages, report_once)
    apply_filters(query, stages, found)
    return found


def _matches(query: Query, candidates: Candidates) -> int:
    passes = passes_facets(query.state, query.request.facet_filters, candidates.objects)
    return int(passes.sum())


def _joined(first: Candidates, others: Candidates) -> Candidates:
    """Both, each object once; what one of them kept was not removed."""
    kept = list(dict.fromkeys([*first.objects.tolist(), *others.objects.tolist()]))
    everything = [*first.sources, *(obj for obj in others.sources if obj not in first.sources)]
    removed = {**others.removed, **first.removed}
    return Candidates(
        objects=np.array(kept, np.int32),
        sources={obj: _union(first.sources, others.sources, obj) for obj in everything},
        reasons={obj: _union(first.reasons, others.reasons, obj) for obj in everything},
        fallbacks=list(dict.fromkeys([*first.fallbacks, *others.fallbacks])),
        proposed={**others.proposed, **first.proposed},
        removed={obj: why for obj, why in removed.items() if obj not in set(kept)},
        quotas=others.quotas,
    )


def _union(first: dict[int, list[str]], others: dict[int, list[str]], obj: int) -> list[str]:
    return list(dict.fromkeys([*first.get(obj, []), *others.get(obj, [])]))
