"""What protobuf says becomes what the core says; the form is checked on the way."""

from __future__ import annotations

import math
from typing import Any

import pytest

from core.errors import InvalidRequestError
from core.fates import Stage
from core.log import Outcome
from core.requests import (
    FacetFilter,
    GenreAnswer,
    GenreStatus,
    Novelty,
    RankedItem,
    RecommendRequest,
    UserRef,
)
from encore.v1 import admin_service_pb2 as admin_pb
from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server import convert, convert_admin, list_options
from server.handlers.genre import GenreHeard
from server.handlers.recommend import PageAnswer

GOOD_EVENT = pb.FeedbackEvent(
    event_id="e1", user_id="ann", object_id="t1", outcome=common_pb.OUTCOME_PLAY
)


def reason(event: pb.FeedbackEvent) -> str:
    call = convert.feedback_call(pb.FeedbackRequest(events=[event]))
    assert call.readable == {}
    (rejection,) = call.unreadable
    return rejection.reason


def changed(**fields: object) -> pb.FeedbackEvent:
    event = pb.FeedbackEvent()
    event.CopyFrom(GOOD_EVENT)
    event.MergeFrom(pb.FeedbackEvent(**fields))  # type: ignore[arg-type]
    return event


def bad_fields(call: object) -> list[str]:
    with pytest.raises(InvalidRequestError) as caught:
        call()  # type: ignore[operator]
    return [violation.field for violation in caught.value.violations]


def test_every_outcome_of_the_core_has_one_in_the_contract_and_the_other_way_round() -> None:
    assert set(convert.OUTCOMES.values()) == set(Outcome)
    assert set(convert.OUTCOMES) == set(common_pb.Outcome.values()) - {0}
    for number, outcome in convert.OUTCOMES.items():
        assert common_pb.Outcome.Name(number) == f"OUTCOME_{outcome.name}"  # type: ignore[arg-type]


def test_every_genre_status_has_one_in_the_contract_and_the_other_way_round() -> None:
    assert set(convert.GENRE_STATUSES) == set(GenreStatus)
    assert set(convert.GENRE_STATUSES.values()) == set(pb.GenreStatus.values()) - {0}


def test_every_profile_of_the_contract_is_known() -> None:
    assert set(convert.PROFILES) == set(common_pb.Profile.values())


def test_every_list_mode_of_the_contract_is_known_and_live_by_default() -> None:
    assert set(convert.LIST_MODES) == set(pb.ListMode.values())
    assert not convert.page_request(pb.RecommendRequest()).from_queue
    assert convert.page_request(pb.RecommendRequest(list_mode=pb.LIST_MODE_QUEUE)).from_queue
    wrong = pb.RecommendRequest(list_mode=9)  # type: ignore[arg-type]
    assert bad_fields(lambda: convert.page_request(wrong)) == ["list_mode"]


def test_every_stage_of_a_fate_has_one_in_the_contract_and_the_other_way_round() -> None:
    assert set(convert_admin.STAGES) == set(Stage)
    assert set(convert_admin.STAGES.values()) == set(admin_pb.FateStage.values()) - {0}
    for stage, number in convert_admin.STAGES.items():
        assert admin_pb.FateStage.Name(number) == f"FATE_STAGE_{stage.name}"


def test_everything_wrong_with_a_request_is_said_at_once() -> None:
    request = pb.ScoreRequest(
        user=common_pb.User(id="a\0", attributes={"age": "x" * 2000}),
        object_ids=["fine", ""],
        context={"source_tab": "\n"},
        profile=99,  # type: ignore[arg-type]
        request_id="r" * 129,
    )
    assert bad_fields(lambda: convert.score_request(request)) == [
        "request_id",
        "user.id",
        'user.attributes["age"]',
        'context["source_tab"]',
        "profile",
        "object_ids[1]",
    ]


def test_page_size_zero_means_ten_and_the_limits_hold() -> None:
    assert convert.page_request(pb.RecommendRequest()).size == 10
    assert convert.page_request(pb.RecommendRequest(page_size=100)).size == 100
    for size in (-1, 101):
        request = pb.RecommendRequest(page_size=size)
        assert bad_fields(lambda request=request: convert.page_request(request)) == ["page_size"]


@pytest.mark.parametrize(("sent", "cap"), [(None, None), (0, convert.NO_CAP), (3, 3)])
def test_an_absent_cap_is_the_domains_and_zero_is_none(sent: int | None, cap: int | None) -> None:
    request = pb.RecommendRequest(max_per_facet=sent)
    assert convert.page_request(request).request.max_per_facet == cap


def test_candidates_named_twice_are_ranked_once() -> None:
    request = pb.RecommendRequest(candidate_ids=["b", "a", "b"])
    assert convert.page_request(request).request.candidate_ids == ("b", "a")


def test_objects_named_twice_are_scored_twice() -> None:
    assert convert.score_request(pb.ScoreRequest(object_ids=["a", "a"])).object_ids == ("a", "a")


def test_every_novelty_and_filter_mode_of_the_contract_is_known() -> None:
    assert set(list_options.NOVELTIES) == set(pb.Novelty.values())
    assert set(list_options.NOVELTIES.values()) == set(Novelty)
    assert set(list_options.FALLS_BACK) == set(pb.FilterMode.values())


def test_what_a_list_is_to_be_like_is_read() -> None:
    wanted = pb.FacetFilter(field="genres", values=["rock", "jazz", "rock"])
    asked = convert.page_request(
        pb.RecommendRequest(
            novelty=pb.NOVELTY_NEW_ONLY,
            facet_filters=[wanted],
            filter_mode=pb.FILTER_MODE_FALL_BACK,
            diversity=0.25,
            exploration=0.0,
        )
    ).request
    assert asked.novelty is Novelty.NEW_ONLY
    assert asked.facet_filters == (FacetFilter("genres", ("rock", "jazz")),)
    assert asked.fall_back
    assert (asked.diversity, asked.freshness, asked.exploration) == (0.25, None, 0.0)
    assert convert.page_request(pb.RecommendRequest()).request == RecommendRequest(UserRef())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"novelty": 9}, "novelty"),
        ({"filter_mode": 9}, "filter_mode"),
        ({"facet_filters": [pb.FacetFilter(field="", values=["x"])]}, "facet_filters[0].field"),
        ({"facet_filters": [pb.FacetFilter(field="genres")]}, "facet_filters[0].values"),
        (
            {"facet_filters": [pb.FacetFilter(field="genres", values=["x", ""])]},
            "facet_filters[0].values[1]",
        ),
        (
            {"facet_filters": [pb.FacetFilter(field="genres", values=["x"] * 1001)]},
            "facet_filters[0].values",
        ),
        ({"facet_filters": [pb.FacetFilter(field="genres", values=["x"])] * 17}, "facet_filters"),
        ({"diversity": -0.01}, "diversity"),
        ({"freshness": 1.01}, "freshness"),
        ({"exploration": math.nan}, "exploration"),
    ],
)
def test_what_cannot_be_wished_of_a_list_is_named(wrong: dict[str, Any], field: str) -> None:
    assert bad_fields(lambda: convert.page_request(pb.RecommendRequest(**wrong))) == [field]


def test_ranks_chances_and_tokens_of_a_page_are_sent() -> None:
    drawn = RankedItem("t1", 0.5, ("als",), ("why",), propensity=0.25, choices=4, passed_over=0.6)
    sent = convert.page_response(PageAnswer("v1", "rec", ((7, drawn),), "next", ()))
    assert (sent.items[0].propensity, sent.items[0].explored) == (0.25, True)
    assert (sent.items[0].rank, sent.items[0].object_id, sent.next_page_token) == (7, "t1", "next")


def test_all_that_was_heard_is_in_the_reply_in_the_same_order() -> None:
    answer = GenreAnswer(
        GenreStatus.OK,
        genres=(("jazz", 0.75), ("rock", 0.25)),
        moods=(("Mellow", 0.5),),
        instruments=(("guitar", 0.5), ("instrumental", 0.25)),
        neighbours=(("t2", 0.5, "jazz"),),
        same_recording=("copy 2", "copy 1"),
        note="as told",
    )
    reply = convert.genre_response(GenreHeard(answer, "v7"))
    assert [(g.genre, g.probability) for g in reply.genres] == [("jazz", 0.75), ("rock", 0.25)]
    assert [(m.tag, m.probability) for m in reply.moods] == [("Mellow", 0.5)]
    assert [(i.tag, i.probability) for i in reply.instruments] == [
        ("guitar", 0.5),
        ("instrumental", 0.25),
    ]
    assert [(n.track_id, n.cosine, n.genre) for n in reply.neighbors] == [("t2", 0.5, "jazz")]
    assert list(reply.same_recording_ids) == ["copy 2", "copy 1"]
    assert (reply.status, reply.note, reply.model_version) == (pb.GENRE_STATUS_OK, "as told", "v7")


def test_a_genre_query_needs_a_track_or_a_sound() -> None:
    ask = pb.GenreNeighborRequest()
    assert bad_fields(lambda: convert.genre_query(ask, 10)) == ["query"]
    too_long = pb.GenreNeighborRequest(audio=b"x" * 11)
    assert bad_fields(lambda: convert.genre_query(too_long, 10)) == ["audio"]
    silent = pb.GenreNeighborRequest(audio=b"")
    assert bad_fields(lambda: convert.genre_query(silent, 10)) == ["audio"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"event_id": "e" * 129}, "event_id"),
        ({"user_id": "u" * 257}, "user_id"),
        ({"object_id": "t\0"}, "object_id"),
        ({"outcome": 99}, "outcome"),
        ({"value": math.nan}, "value"),
        ({"value": math.inf}, "value"),
        ({"occurred_at": {"seconds": -1}}, "occurred_at"),
        ({"occurred_at": {"seconds": 2**62}}, "occurred_at"),
        ({"occurred_at": {"nanos": 1_000_000_000}}, "occurred_at"),
        ({"recommendation_id": "\x01"}, "recommendation_id"),
        ({"context": {"source_tab": "x" * 1025}}, 'context["source_tab"]'),
    ],
)
def test_a_malformed_event_is_rejected_with_the_field(
    fields: dict[str, object], named: str
) -> None:
    assert reason(changed(**fields)).startswith(f"{named}: ")


@pytest.mark.parametrize("missing", ["event_id", "user_id", "object_id", "outcome"])
def test_an_event_without_what_it_needs_is_rejected(missing: str) -> None:
    event = changed()
    event.ClearField(missing)  # type: ignore[arg-type]
    assert reason(event).startswith(f"{missing}: ")


def test_a_good_event_keeps_its_place_among_bad_ones() -> None:
    call = convert.feedback_call(
        pb.FeedbackRequest(events=[pb.FeedbackEvent(), GOOD_EVENT, pb.FeedbackEvent()])
    )
    assert list(call.readable) == [1]
    assert [rejection.index for rejection in call.unreadable] == [0, 2]


def test_fractions_of_a_second_are_kept() -> None:
    event = changed(occurred_at={"seconds": 10, "nanos": 500_000_000})
    call = convert.feedback_call(pb.FeedbackRequest(events=[event]))
    assert call.readable[0].occurred_at_s == 10.5


@pytest.mark.parametrize("count", [0, 1001])
def test_a_call_holds_one_to_a_thousand_events(count: int) -> None:
    request = pb.FeedbackRequest(events=[GOOD_EVENT] * count)
    assert bad_fields(lambda: convert.feedback_call(request)) == ["events"]
