"""WhyNot over the wire: what operators are told, and that asking leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from encore.v1 import admin_service_pb2 as admin_pb
from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import RunningServer, bad_fields, refused, running_server


def asked(*object_ids: str, **fields: object) -> admin_pb.WhyNotRequest:
    fields = {"domain": "music", "user": common_pb.User(id="ann"), **fields}
    request = pb.RecommendRequest(**fields)  # type: ignore[arg-type]
    return admin_pb.WhyNotRequest(request=request, object_ids=object_ids)


def test_each_object_is_followed_in_the_order_asked() -> None:
    with running_server() as encore:
        event = pb.FeedbackEvent(
            event_id="e", user_id="ann", object_id="t01", outcome=common_pb.OUTCOME_PLAY
        )
        encore.api.Feedback(pb.FeedbackRequest(domain="music", events=[event]))
        reply = encore.admin.WhyNot(asked("t01", "never heard of", "t02"))
    removed, unknown, listed = reply.fates
    assert (removed.stage, removed.removed_by) == (admin_pb.FATE_STAGE_FILTERED, "taken")
    assert list(removed.refused_by) == ["taken"]
    assert removed.why == "the filter 'taken' removed it"
    assert unknown.stage == admin_pb.FATE_STAGE_UNKNOWN
    assert not unknown.HasField("probability")
    assert not unknown.HasField("rank")
    assert (listed.stage, listed.rank, listed.score_place) == (admin_pb.FATE_STAGE_LISTED, 2, 2)
    assert [(s.source, s.place, s.asked, s.proposed) for s in listed.sources] == [
        ("popular", 2, 200, True)
    ]
    assert (reply.n_scored, reply.n_listed, reply.model_version) == (24, 24, "v1")


def test_asking_why_stores_nothing() -> None:
    with running_server() as encore:
        encore.admin.WhyNot(asked("t00", list_mode=pb.LIST_MODE_QUEUE))
        assert encore.parts.queues.records == {}
        assert encore.parts.recommendations.records == []


def test_it_is_ranked_like_the_next_live_page() -> None:
    with running_server() as encore:
        encore.api.Recommend(asked().request)
        encore.admin.WhyNot(asked("t00", page_size=3))
        encore.api.Recommend(asked().request)
        _warm_up, _first, followed, live = encore.parts.engine.asked
        assert followed.queued_ids
        # But for what is drawn: the draws of one call say nothing of the next.
        assert followed == replace(live, seed=0, exploration=0.0)


@pytest.mark.parametrize("count", [0, 101])
def test_one_to_a_hundred_objects_can_be_followed(encore: RunningServer, count: int) -> None:
    error = refused("INVALID_ARGUMENT", lambda: encore.admin.WhyNot(asked(*["t"] * count)))
    assert list(bad_fields(error)) == ["object_ids"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"page_size": 101}, "request.page_size"),
        ({"profile": 9}, "request.profile"),
        ({"pool": "nowhere"}, "request.pool"),
        ({"context": {"weather": "rain"}}, 'request.context["weather"]'),
        ({"domain": "opera"}, "domain"),
    ],
)
def test_what_is_wrong_with_the_request_is_named_where_it_stands(
    encore: RunningServer, fields: dict[str, object], named: str
) -> None:
    error = refused("INVALID_ARGUMENT", lambda: encore.admin.WhyNot(asked("t00", **fields)))
    assert list(bad_fields(error)) == [named]
