"""The slate: candidates in order of score, as the rerankers leave them, with all that is said."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.recommend.allowed import passes_facets
from core.recommend.contracts import Draws, Picked, Query, Ranking, Reranker
from core.recommend.pipeline import Candidates, check_length
from core.requests import RankedItem, Slate


def rank(
    query: Query,
    rerankers: tuple[Reranker, ...],
    candidates: Candidates,
    probabilities: NDArray[np.float64],
) -> Slate:
    """Order by probability (ties by object index), rerank, cut to the size asked.

    What only falls back comes after all that passes the facet filters, and among either of these
    what carries fewer tags of the story after what carries more, whatever their probabilities.
    """
    check_length("scorer", len(probabilities), len(candidates.objects))
    finite = np.where(np.isfinite(probabilities), probabilities, -1.0)
    tiers = _tiers(query, candidates.objects)
    order = np.lexsort((candidates.objects, -finite, tiers))
    ranking = Ranking(candidates.objects[order], finite[order], tiers[order])
    scores = dict(zip(candidates.objects.tolist(), np.maximum(finite, 0.0).tolist(), strict=True))
    draws = best = None
    for step in rerankers:
        if draws is not None:
            raise ValueError(f"stage {step.name!r} comes after a draw: its propensities would lie")
        picked = step.pick(query, ranking)
        _check_picked(step.name, picked, ranking)
        left_out = np.setdiff1d(np.arange(len(ranking.objects)), picked.positions)
        for obj in ranking.objects[left_out].tolist():
            candidates.removed[obj] = step.name
        draws = picked.draws
        best = None if draws is None else ranking.objects[draws.best]
        ranking = _picked_from(ranking, picked)
    shown = ranking.objects[: query.request.size]
    drawn = _drawn(draws, best, shown, scores)
    name = query.state.objects.string
    items = tuple(
        RankedItem(
            name(obj),
            scores[obj],
            tuple(candidates.sources.get(obj, ())),
            tuple(candidates.reasons.get(obj, ())),
            *how,
        )
        for obj, how in zip(shown.tolist(), drawn, strict=True)
    )
    removed = {name(obj): why for obj, why in candidates.removed.items()}
    return Slate(items, tuple(candidates.fallbacks), removed)


def _tiers(query: Query, objects: NDArray[np.int32]) -> NDArray[np.int8]:
    """(n,) from 0: what passes the facet filters, then what only falls back, by tags in each."""
    falls_back = ~passes_facets(query.state, query.request.facet_filters, objects)
    if query.preference is None:
        return falls_back.astype(np.int8)
    carried = query.preference[objects]
    most = int(carried.max(initial=0))
    tiers: NDArray[np.int8] = (falls_back * (most + 1) + most - carried).astype(np.int8)
    return tiers


def _picked_from(ranking: Ranking, picked: Picked) -> Ranking:
    places = picked.positions
    kept = ranking.utilities[places] if picked.utilities is None else picked.utilities
    return Ranking(ranking.objects[places], kept, ranking.tiers[places])


def _drawn(
    draws: Draws | None,
    best: NDArray[np.int32] | None,
    shown: NDArray[np.int32],
    scores: dict[int, float],
) -> list[tuple[float, int, float | None]]:
    """(m,) of each place: propensity, choices, probability of what exploration passed over."""
    if draws is None or best is None:
        return [(1.0, 1, None)] * len(shown)
    n = len(shown)
    passed_over = [
        None if other == obj else scores[other]
        for obj, other in zip(shown.tolist(), best[:n].tolist(), strict=True)
    ]
    how = (draws.propensities[:n].tolist(), draws.choices[:n].tolist(), passed_over)
    return list(zip(*how, strict=True))


def _check_picked(stage: str, picked: Picked, ranking: Ranking) -> None:
    places, n = picked.positions, len(ranking.objects)
    inside = (places >= 0) & (places < n)
    if not inside.all() or len(np.unique(places)) != len(places):
        raise ValueError(
            f"stage {stage!r} must pick distinct positions below {n}, got {places.tolist()}"
        )
    if (np.diff(ranking.tiers[places]) < 0).any():
        raise ValueError(f"stage {stage!r} must not put a later tier before an earlier one")
    draws, m = picked.draws, len(places)
    if picked.utilities is not None:
        check_length(stage, len(picked.utilities), m)
    if draws is not None:
        for part in (draws.propensities, draws.choices, draws.best):
            check_length(stage, len(part), m)
        if not ((draws.propensities > 0.0) & (draws.propensities <= 1.0)).all():
            raise ValueError(f"stage {stage!r} must give propensities above 0 and at most 1")
