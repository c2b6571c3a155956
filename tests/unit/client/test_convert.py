from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Unpack

import pytest

from encore.v1 import admin_service_pb2, common_pb2, recommender_service_pb2
from encore_client import (
    FateStage,
    FeedbackEvent,
    FilterMode,
    GenreStatus,
    ListMode,
    Media,
    Novelty,
    Outcome,
    PreviewWindow,
    Profile,
    RecommendOptions,
    Story,
    User,
    convert,
)
from encore_client.fates import why_not


def test_every_outcome_and_profile_of_the_contract_has_its_word_and_no_other() -> None:
    sent = {
        convert.feedback_request("d", [FeedbackEvent("u", "o", outcome)], request_id="")
        .events[0]
        .outcome
        for outcome in Outcome
    }
    assert sent == set(common_pb2.Outcome.values()) - {common_pb2.OUTCOME_UNSPECIFIED}
    assert {
        convert.recommend_request("d", "u", page_token="", request_id="", profile=profile).profile
        for profile in Profile
    } == set(common_pb2.Profile.values())


def test_every_list_mode_of_the_contract_has_its_word_and_no_other() -> None:
    assert {
        convert.recommend_request("d", "u", page_token="", request_id="", list_mode=mode).list_mode
        for mode in ListMode
    } == set(recommender_service_pb2.ListMode.values())


def test_every_stage_of_the_contract_has_its_word_and_no_other() -> None:
    numbers = set(admin_service_pb2.FateStage.values()) - {0}
    fates = [admin_service_pb2.ObjectFate(stage=number) for number in numbers]
    answer = why_not(admin_service_pb2.WhyNotResponse(fates=fates))
    assert {fate.stage for fate in answer.fates} == set(FateStage) - {FateStage.NEWER}


def test_a_status_newer_than_the_client_is_unknown() -> None:
    answer = recommender_service_pb2.GenreNeighborResponse()
    answer.ParseFromString(b"\x08\x63")
    assert convert.genre_neighbors(answer).status is GenreStatus.UNKNOWN


def test_an_event_without_an_id_makes_one_up_and_keeps_it() -> None:
    event = FeedbackEvent("u", "o", Outcome.DISLIKE)
    ids = [
        convert.feedback_request("d", [event], request_id="").events[0].event_id for _ in range(2)
    ]
    assert ids[0] == ids[1] == event.event_id != ""
    assert FeedbackEvent("u", "o", Outcome.DISLIKE).event_id != event.event_id


def test_the_moment_of_an_event_keeps_its_zone() -> None:
    zone = timezone(timedelta(hours=8))
    event = FeedbackEvent("u", "o", Outcome.PLAY, occurred_at=datetime(2026, 1, 1, 8, tzinfo=zone))
    sent = convert.feedback_request("d", [event], request_id="").events[0].occurred_at
    assert sent.ToDatetime(UTC) == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_event_that_happened_now_says_no_moment() -> None:
    request = convert.feedback_request("d", [FeedbackEvent("u", "o", Outcome.PLAY)], request_id="")
    assert not request.events[0].HasField("occurred_at")


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        FeedbackEvent("u", "o", Outcome.PLAY, occurred_at=datetime(2026, 1, 1))


def test_no_cap_is_not_the_domains_cap() -> None:
    def capped(max_per_facet: int | None) -> recommender_service_pb2.RecommendRequest:
        return convert.recommend_request(
            "d", "u", page_token="", request_id="", max_per_facet=max_per_facet
        )

    assert not capped(None).HasField("max_per_facet")
    assert capped(0).HasField("max_per_facet")


def of_story(story: Story | None) -> recommender_service_pb2.RecommendRequest:
    return convert.recommend_request("d", "u", page_token="", request_id="", story=story)


def test_a_story_says_its_longest_preview_only_when_it_has_one() -> None:
    assert not of_story(None).HasField("story")
    story = of_story(Story("s1", ["happy", "rock"], 15)).story
    assert (story.story_id, list(story.tags), story.max_seconds) == ("s1", ["happy", "rock"], 15)
    assert not of_story(Story("s1")).story.HasField("max_seconds")


def test_one_tag_in_place_of_several_is_refused() -> None:
    with pytest.raises(TypeError, match="tags takes several"):
        of_story(Story("s1", "rock"))  # type: ignore[arg-type]


def test_previews_and_media_are_none_where_the_answer_has_none() -> None:
    pb = recommender_service_pb2
    item = pb.RecommendedItem(
        preview=pb.PreviewWindow(start_ms=1, length_ms=2, is_default=True),
        media=pb.Media(title="t", cover_url="c", preview_url="p", note="n"),
    )
    full, bare = convert.recommendation(
        pb.RecommendResponse(items=[item, pb.RecommendedItem()])
    ).items
    assert full.preview == PreviewWindow(1, 2, is_default=True)
    assert full.media == Media("t", "c", "p", "n")
    assert (bare.preview, bare.media) == (None, None)


@pytest.mark.parametrize(("track_id", "audio"), [(None, None), ("t", b"RIFF")])
def test_a_question_about_a_sound_has_exactly_one_sound(
    track_id: str | None, audio: bytes | None
) -> None:
    with pytest.raises(ValueError, match="either track_id or audio"):
        convert.genre_neighbor_request(
            "d", track_id=track_id, audio=audio, k=1, same_genre=False, pool="", request_id=""
        )


def test_one_id_in_place_of_several_is_refused() -> None:
    with pytest.raises(TypeError, match="object_ids takes several ids"):
        convert.score_request(
            "d",
            "u",
            "track-1",
            context=None,
            profile=Profile.FULL,
            include_members=False,
            explain=False,
            top_features=10,
            request_id="",
        )


def test_what_an_explanation_lacks_is_none() -> None:
    answer = recommender_service_pb2.ScoreResponse()
    answer.explanations.add(logit=-50.0, sunk=True).members.add(member="felu")
    (told,) = convert.scored_objects(answer).explanations
    assert told.sunk
    assert told.branch_cosine is None
    assert told.members[0].features is None


def test_a_user_is_an_id_or_more() -> None:
    assert convert.user_message("u") == common_pb2.User(id="u")
    more = convert.user_message(User("u", {"city": "13"}))
    assert dict(more.attributes) == {"city": "13"}


def recommend(**options: Unpack[RecommendOptions]) -> recommender_service_pb2.RecommendRequest:
    return convert.recommend_request("d", "u", page_token="", request_id="", **options)


def test_every_novelty_and_filter_mode_of_the_contract_has_its_word_and_no_other() -> None:
    novelties = {recommend(novelty=novelty).novelty for novelty in Novelty}
    assert novelties == set(recommender_service_pb2.Novelty.values())
    modes = {recommend(filter_mode=mode).filter_mode for mode in FilterMode}
    assert modes == set(recommender_service_pb2.FilterMode.values())


def test_facet_filters_are_sent_field_by_field() -> None:
    sent = recommend(facet_filters={"genres": ["rock", "jazz"], "language": ("sv",)}).facet_filters
    assert [(each.field, list(each.values)) for each in sent] == [
        ("genres", ["rock", "jazz"]),
        ("language", ["sv"]),
    ]
    with pytest.raises(TypeError, match=r"genres.* takes several ids"):
        recommend(facet_filters={"genres": "rock"})  # type: ignore[dict-item]


def test_a_share_of_zero_is_not_the_domains_share() -> None:
    sent = recommend(diversity=0.0, freshness=0.0, exploration=0.0)
    assert sent.HasField("diversity")
    assert sent.HasField("freshness")
    assert sent.HasField("exploration")
    unsaid = recommend(diversity=None, freshness=None)
    assert not unsaid.HasField("diversity")
    assert not unsaid.HasField("freshness")
    assert not unsaid.HasField("exploration")
