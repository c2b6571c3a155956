"""Recommend over the wire: pages of one queue never overlap, and tokens are bound to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import (
    CATALOGUE,
    Parts,
    RunningServer,
    bad_fields,
    reason,
    refused,
    running_server,
)

RANKED = sorted(CATALOGUE, key=lambda i: -CATALOGUE[i])
"""t00 ... t24."""


@pytest.fixture
def encore() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


def ask(user: str = "ann", **fields: object) -> pb.RecommendRequest:
    fields = {"domain": "music", "page_size": 4, **fields}
    return pb.RecommendRequest(user=common_pb.User(id=user), **fields)  # type: ignore[arg-type]


def objects(page: pb.RecommendResponse) -> list[str]:
    return [item.object_id for item in page.items]


def tell(encore: RunningServer, outcome: common_pb.Outcome.ValueType, *object_ids: str) -> None:
    events = [
        pb.FeedbackEvent(event_id=f"{outcome}-{i}", user_id="ann", object_id=i, outcome=outcome)
        for i in object_ids
    ]
    encore.api.Feedback(pb.FeedbackRequest(domain="music", events=events))


def pages(encore: RunningServer, first: pb.RecommendRequest) -> Iterator[pb.RecommendResponse]:
    page = encore.api.Recommend(first)
    yield page
    while page.next_page_token:
        following = pb.RecommendRequest()
        following.CopyFrom(first)
        following.page_token = page.next_page_token
        page = encore.api.Recommend(following)
        yield page


@pytest.mark.parametrize("user", ["ann", ""], ids=["known", "anonymous"])
def test_pages_together_are_the_queue_and_the_last_has_no_token(
    encore: RunningServer, user: str
) -> None:
    seen = list(pages(encore, ask(user)))
    assert [i for page in seen for i in objects(page)] == RANKED
    assert [item.rank for page in seen for item in page.items] == list(range(1, 26))
    assert [len(page.items) for page in seen] == [4] * 6 + [1]


def test_each_page_is_a_recommendation_that_is_remembered(encore: RunningServer) -> None:
    first, second, *_ = pages(encore, ask())
    remembered = encore.parts.recommendations.records[:2]
    assert [r.recommendation_id for r in remembered] == [
        first.recommendation_id,
        second.recommendation_id,
    ]
    assert [[shown.object_id for shown in r.items] for r in remembered] == [
        objects(first),
        objects(second),
    ]
    assert remembered[0].queue_id == remembered[1].queue_id


def test_the_page_size_may_change_from_page_to_page(encore: RunningServer) -> None:
    first = encore.api.Recommend(ask())
    second = encore.api.Recommend(ask(page_token=first.next_page_token, page_size=100))
    assert objects(first) + objects(second) == RANKED


def test_what_was_taken_or_disliked_meanwhile_is_skipped_and_the_page_is_full(
    encore: RunningServer,
) -> None:
    first = encore.api.Recommend(ask())
    tell(encore, common_pb.OUTCOME_PLAY, "t04")
    tell(encore, common_pb.OUTCOME_DISLIKE, "t06")
    second = encore.api.Recommend(ask(page_token=first.next_page_token))
    assert objects(second) == ["t05", "t07", "t08", "t09"]
    assert [item.rank for item in second.items] == [6, 8, 9, 10]
    third = encore.api.Recommend(ask(page_token=second.next_page_token))
    assert objects(third)[0] == "t10"


def test_a_queue_of_which_nothing_is_allowed_any_more_ends(encore: RunningServer) -> None:
    first = encore.api.Recommend(ask(page_size=24))
    tell(encore, common_pb.OUTCOME_PLAY, "t24")
    last = encore.api.Recommend(ask(page_token=first.next_page_token))
    assert objects(last) == []
    assert last.next_page_token == ""


def test_fresh_feedback_makes_the_next_first_page_new(encore: RunningServer) -> None:
    encore.api.Recommend(ask())
    tell(encore, common_pb.OUTCOME_PLAY, "t00")
    assert objects(encore.api.Recommend(ask())) == ["t01", "t02", "t03", "t04"]


def test_a_new_first_page_makes_older_tokens_stale(encore: RunningServer) -> None:
    old = encore.api.Recommend(ask())
    encore.api.Recommend(ask())
    again = ask(page_token=old.next_page_token)
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(again))
    assert reason(error) == "STALE_PAGE_TOKEN"
    assert list(bad_fields(error)) == ["page_token"]


def test_first_pages_of_other_requests_leave_a_token_valid(encore: RunningServer) -> None:
    page = encore.api.Recommend(ask())
    encore.api.Recommend(ask(exclude_ids=["t00"]))
    encore.api.Recommend(ask("bob"))
    assert objects(encore.api.Recommend(ask(page_token=page.next_page_token)))[0] == "t04"


@pytest.mark.parametrize(
    "change",
    [{"user": "bob"}, {"user": ""}, {"exclude_ids": ["t09"]}, {"pool": "royalty_free"}],
    ids=str,
)
def test_a_token_of_another_user_or_request_is_refused(
    encore: RunningServer, change: dict[str, Any]
) -> None:
    page = encore.api.Recommend(ask())
    other = ask(page_token=page.next_page_token, **change)
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(other))
    assert list(bad_fields(error)) == ["page_token"]


def test_excluded_objects_never_come_and_candidates_are_all_that_come(
    encore: RunningServer,
) -> None:
    page = encore.api.Recommend(ask(candidate_ids=["t09", "new", "t03"], exclude_ids=["t09"]))
    assert objects(page) == ["t03", "new"]


def test_explicit_candidates_are_ranked_all_of_them(encore: RunningServer) -> None:
    many = [f"c{n}" for n in range(250)]
    seen = list(pages(encore, ask(candidate_ids=many, page_size=100)))
    assert sorted(i for page in seen for i in objects(page)) == sorted(many)


def test_what_fell_back_is_told_on_every_page(encore: RunningServer) -> None:
    first, second, *_ = pages(encore, ask(""))
    assert list(first.fallbacks) == list(second.fallbacks) == ["cold user: popular only"]


def test_validation_alone_computes_nothing_and_stores_nothing(encore: RunningServer) -> None:
    reply = encore.api.Recommend(ask(validate_only=True))
    assert (reply.model_version, reply.recommendation_id, objects(reply)) == ("v1", "", [])
    assert encore.parts.queues.records == {}
    assert encore.parts.recommendations.records == []


def test_a_swept_queue_is_stale() -> None:
    parts = Parts(settings=Parts().settings.model_copy(update={"sweep_s": 0.01}))
    with running_server(parts) as encore:
        page = encore.api.Recommend(ask())
        parts.clock.now_s += 2 * parts.settings.queue_ttl_s
        parts.queues.wait_until_empty()
        again = ask(page_token=page.next_page_token)
        error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(again))
        assert reason(error) == "STALE_PAGE_TOKEN"
