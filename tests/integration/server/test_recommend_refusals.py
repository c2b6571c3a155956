"""Requests for a page that can never be answered name the field, also when only validated."""

from __future__ import annotations

from typing import Any

import pytest

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import RunningServer, bad_fields, refused


def ask(user: str = "ann", **fields: object) -> pb.RecommendRequest:
    fields = {"domain": "music", "page_size": 4, **fields}
    return pb.RecommendRequest(user=common_pb.User(id=user), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("token", ["x", "=" * 40, "é", "A" * 115, "A" * 5000])
def test_a_made_up_token_is_refused(encore: RunningServer, token: str) -> None:
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(ask(page_token=token)))
    assert list(bad_fields(error)) == ["page_token"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"domain": "opera"}, "domain"),
        ({"page_size": 101}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "made up"}, "page_token"),
        ({"pool": "nowhere"}, "pool"),
        ({"context": {"source_tba": "x"}}, 'context["source_tba"]'),
        ({"max_per_facet": -1}, "max_per_facet"),
        ({"candidate_ids": ["a", ""]}, "candidate_ids[1]"),
        ({"exclude_ids": ["a"] * 10_001}, "exclude_ids"),
        ({"profile": 9}, "profile"),
    ],
)
@pytest.mark.parametrize("validate_only", [True, False])
def test_validation_alone_finds_what_a_real_call_finds(
    encore: RunningServer, fields: dict[str, Any], named: str, validate_only: bool
) -> None:
    wrong = ask(validate_only=validate_only, **fields)
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(wrong))
    assert list(bad_fields(error)) == [named]
