"""What a Recommend request says of the list it wants, checked and turned into the core's values."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from core.requests import FacetFilter, Novelty
from encore.v1 import recommender_service_pb2 as pb
from server.checks import MAX_ID_BYTES, MAX_NAME_BYTES, Checks

MAX_FACET_FILTERS = 16
MAX_FACET_VALUES = 1_000

NOVELTIES: Mapping[int, Novelty] = MappingProxyType(
    {
        pb.NOVELTY_UNSPECIFIED: Novelty.ANY,
        pb.NOVELTY_NEW_ONLY: Novelty.NEW_ONLY,
        pb.NOVELTY_KNOWN_ONLY: Novelty.KNOWN_ONLY,
    }
)
FALLS_BACK: Mapping[int, bool] = MappingProxyType(
    {
        pb.FILTER_MODE_UNSPECIFIED: False,
        pb.FILTER_MODE_STRICT: False,
        pb.FILTER_MODE_FALL_BACK: True,
    }
)


def check_list_options(checks: Checks, request: pb.RecommendRequest) -> None:
    """Note all that is malformed; the engine knows which fields there are."""
    if request.novelty not in NOVELTIES:
        checks.refuse("novelty", f"unknown novelty {request.novelty}: send one of the enum Novelty")
    if request.filter_mode not in FALLS_BACK:
        unknown = request.filter_mode
        checks.refuse("filter_mode", f"unknown mode {unknown}: send one of the enum FilterMode")
    if len(request.facet_filters) > MAX_FACET_FILTERS:
        n = len(request.facet_filters)
        checks.refuse("facet_filters", f"must hold at most {MAX_FACET_FILTERS} filters, got {n}")
    else:
        for i, wanted in enumerate(request.facet_filters):
            checks.id(f"facet_filters[{i}].field", wanted.field, MAX_NAME_BYTES)
            _check_values(checks, f"facet_filters[{i}].values", wanted)
    for name in ("diversity", "freshness", "exploration"):
        if request.HasField(name):
            checks.share(name, getattr(request, name))


def _check_values(checks: Checks, field: str, wanted: pb.FacetFilter) -> None:
    n = len(wanted.values)
    if not 1 <= n <= MAX_FACET_VALUES:
        checks.refuse(field, f"must hold 1 to {MAX_FACET_VALUES} values, got {n}")
        return
    for place, value in enumerate(wanted.values):
        checks.id(f"{field}[{place}]", value, MAX_ID_BYTES)


def facet_filters(request: pb.RecommendRequest) -> tuple[FacetFilter, ...]:
    """The filters, each value once."""
    return tuple(
        FacetFilter(wanted.field, tuple(dict.fromkeys(wanted.values)))
        for wanted in request.facet_filters
    )


def share(
    request: pb.RecommendRequest, name: Literal["diversity", "freshness", "exploration"]
) -> float | None:
    """A share that was sent, or None for the domain's."""
    return float(getattr(request, name)) if request.HasField(name) else None
