"""Which objects a request may draw from: sources look no further, so that a narrow list fills."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Query
from core.requests import FacetFilter, Novelty, RecommendRequest
from core.retrieval.index import Retrieval
from core.state.state import State


def query_at(
    state: State,
    retrieval: Retrieval,
    request: RecommendRequest,
    *,
    now_s: float,
    user_now_s: float,
) -> Query:
    """A request at a moment of a state whose labels have matured up to it.

    Its pool and facet filters are known to the schema.
    """
    user = state.users.get(request.user.id)
    facets = not request.fall_back
    return Query(
        request=request,
        state=state,
        retrieval=retrieval,
        user=user,
        now_s=now_s,
        user_now_s=user_now_s,
        pool=allowed_objects(state, request, user, facets=facets),
    )


def allowed_objects(
    state: State, request: RecommendRequest, user: int, *, facets: bool
) -> NDArray[np.bool_] | None:
    """(n_objects,) what passes the pool, the novelty and, if asked, the facet filters of a request.

    None when that is everything. The filters of the pipeline check the same again, candidate by
    candidate: this only spares sources proposals that would fall.

    Args:
        state: as of now.
        request: its pool and the fields of its facet filters are known to the schema.
        user: index of the user.
        facets: look at the facet filters; without, at all else.
    """
    masks = []
    if request.pool:
        masks.append(state.arrays.objects.pools[:, state.schema.pools.index(request.pool)])
    if facets and request.facet_filters:
        everything = np.arange(state.objects.end, dtype=np.int32)
        masks.append(passes_facets(state, request.facet_filters, everything))
    if request.novelty is not Novelty.ANY:
        known = np.zeros(state.objects.end, bool)
        known[state.own_objects(user)] = True
        masks.append(known if request.novelty is Novelty.KNOWN_ONLY else ~known)
    if not masks:
        return None
    # Arrays of the state have spare rows at their end, for objects to come.
    allowed = np.zeros(len(state.arrays.objects.pools), bool)
    allowed[: state.objects.end] = np.logical_and.reduce([m[: state.objects.end] for m in masks])
    return allowed


def passes_facets(
    state: State, facet_filters: Sequence[FacetFilter], objects: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """(n,) which objects pass all filters; every one when there is none."""
    passes = np.ones(len(objects), bool)
    for wanted in facet_filters:
        is_wanted = np.zeros(len(state.arrays.values.counts), bool)
        is_wanted[[state.names.value_of(wanted.field, value) for value in wanted.values]] = True
        passes &= is_wanted[state.object_values(wanted.field, objects)].any(axis=1)
    return passes
