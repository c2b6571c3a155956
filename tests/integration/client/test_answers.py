from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped, unused-ignore]

from encore_client import (
    AdminClient,
    AsyncEncoreClient,
    EncoreClient,
    Explanation,
    FateStage,
    FeatureContribution,
    FeatureContributions,
    FeedbackEvent,
    GenreNeighbors,
    GenreProbability,
    GenreStatus,
    InvalidRequestError,
    MemberContribution,
    Outcome,
    Profile,
    RecommendedItem,
    RejectedEvent,
    ScoredObjects,
    SoundTag,
    SourcePlace,
    TrackNeighbor,
    User,
)

if TYPE_CHECKING:
    from tests.integration.client.conftest import Call, ScriptedServer


def test_score_returns_what_the_server_says_in_the_order_asked(call: Call) -> None:
    scored = call("score", "u", ["b", "new-a"], include_members=True, request_id="r-1")
    assert scored == ScoredObjects(
        object_ids=("b", "new-a"),
        probabilities=(0.5, 0.5),
        members={"jenn": (0.5, 0.5)},
        missing_ids=("new-a",),
        model_version="m1",
        request_id="r-1",
    )


def test_an_explanation_is_told_in_the_words_of_the_client(
    call: Call, server: ScriptedServer
) -> None:
    scored = call("score", "u", ["a"], explain=True, top_features=1)
    (seen,) = server.seen["Score"]
    assert (seen.request.explain, seen.request.top_features) == (True, 1)
    features = FeatureContributions(
        base=0.5,
        features=(FeatureContribution("age", "static", 2.0),),
        rest=0.5,
        families={"static": 2.5},
    )
    told = Explanation(
        logit=0.0,
        intercept=-2.0,
        members=(
            MemberContribution("jenn", 1.0, 0.5, 0.5, None),
            MemberContribution("lightgbm", 3.0, 0.5, 1.5, features),
        ),
        branch_cosine=0.25,
        sunk=False,
    )
    assert scored.explanations == (told,)


def test_a_request_carries_domain_user_context_profile_token_and_id(
    call: Call, server: ScriptedServer
) -> None:
    user = User("u", {"city": "13"})
    scored = call("score", user, ["a"], context={"source_tab": "radio"}, profile=Profile.LIGHT)
    (seen,) = server.seen["Score"]
    assert seen.request.domain == "music"
    assert dict(seen.request.user.attributes) == {"city": "13"}
    assert dict(seen.request.context) == {"source_tab": "radio"}
    assert seen.metadata["authorization"] == "Bearer t"
    assert seen.metadata["x-request-id"] == seen.request.request_id == scored.request_id
    assert seen.metadata["user-agent"].startswith("encore-client-python/")


def test_every_method_has_a_deadline_of_its_own(call: Call, server: ScriptedServer) -> None:
    call("score", "u", ["a"])
    call("recommend", "u")
    call("genre_neighbor", track_id="t")
    call("like", "u", "a")
    for method, default_s in {
        "Score": 2.0,
        "Recommend": 3.0,
        "GenreNeighbor": 20.0,
        "Feedback": 5.0,
    }.items():
        assert default_s - 1.0 < server.seen[method][0].remaining_s < default_s + 0.1


def test_recommend_returns_a_page_best_first(call: Call) -> None:
    page = call("recommend", "u", page_size=1)
    assert page.items == (RecommendedItem("o1", 1.0, 1, ("past",), ("r",), 0.25, explored=True),)
    assert (page.recommendation_id, page.next_page_token) == ("rec-1", "2")
    assert page.fallbacks == ("queue: empty",)


def test_pages_follow_the_tokens_and_stop_with_the_list(call: Call, server: ScriptedServer) -> None:
    pages = call("recommend_pages", "u", exclude_ids=["x"], max_per_facet=0)
    assert [item.object_id for page in pages for item in page.items] == ["o1", "o2", "o3"]
    requests = [seen.request for seen in server.seen["Recommend"]]
    assert [request.page_token for request in requests] == ["", "2", "3"]
    for request in requests:
        assert list(request.exclude_ids) == ["x"]
        assert request.HasField("max_per_facet")


def test_a_page_is_fetched_when_it_is_reached(server: ScriptedServer) -> None:
    with EncoreClient(server.target, domain="music") as client:
        for page in client.recommend_pages("u"):
            assert page.recommendation_id == "rec-1"
            break
    assert len(server.seen["Recommend"]) == 1


def test_a_sound_is_asked_by_track_bytes_or_file(
    call: Call, server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "clip.wav").write_bytes(b"RIFF2")
    answer = call("genre_neighbor", track_id="t", k=3)
    call("genre_neighbor", audio=b"RIFF1")
    call("genre_neighbor", audio=tmp_path / "clip.wav")
    asked = [seen.request for seen in server.seen["GenreNeighbor"]]
    assert asked[0].track_id == "t"
    assert [request.audio for request in asked[1:]] == [b"RIFF1", b"RIFF2"]
    assert answer == GenreNeighbors(
        status=GenreStatus.OK,
        genres=(GenreProbability("jazz", 0.9),),
        neighbors=(TrackNeighbor("t2", 0.8, "jazz"),),
        moods=(SoundTag("Mellow", 0.5),),
        instruments=(SoundTag("guitar", 0.7),),
        same_recording_ids=("t-copy",),
        note="3",
        model_version="",
        request_id="",
    )


def test_one_sound_is_needed_before_anything_is_sent(call: Call, server: ScriptedServer) -> None:
    with pytest.raises(ValueError, match="got neither"):
        call("genre_neighbor")
    assert not server.seen


def test_long_feedback_goes_in_batches_and_comes_back_as_one_receipt(
    call: Call, server: ScriptedServer
) -> None:
    events = [
        FeedbackEvent("u", "bad" if index in {0, 999, 1_000, 2_345} else "a", Outcome.PLAY)
        for index in range(2_346)
    ]
    receipt = call("feedback", events)
    batches = [seen.request for seen in server.seen["Feedback"]]
    assert [len(batch.events) for batch in batches] == [1_000, 1_000, 346]
    assert {batch.request_id for batch in batches} == {receipt.request_id}
    assert (receipt.accepted, receipt.duplicates) == (2_342, 0)
    assert receipt.rejected == tuple(
        RejectedEvent(index, "no such thing") for index in (0, 999, 1_000, 2_345)
    )


def test_no_events_make_no_call(call: Call, server: ScriptedServer) -> None:
    assert call("feedback", []).accepted == 0
    assert not server.seen


@pytest.mark.parametrize("word", ["like", "dislike", "play"])
def test_a_word_is_an_event(call: Call, server: ScriptedServer, word: str) -> None:
    assert call(word, "u", "a", recommendation_id="rec-1", value=3.0).accepted == 1
    (event,) = server.stored.values()
    assert (event.user_id, event.object_id, event.recommendation_id) == ("u", "a", "rec-1")
    assert event.value == 3.0
    assert event.outcome == server.seen["Feedback"][0].request.events[0].outcome


def test_health_is_what_the_server_says_of_a_service(call: Call, server: ScriptedServer) -> None:
    assert not call("is_serving", "encore.v1.RecommenderService")
    server.health.set("encore.v1.RecommenderService", health_pb2.HealthCheckResponse.SERVING)
    assert call("is_serving", "encore.v1.RecommenderService")
    server.health.set("encore.v1.RecommenderService", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert not call("is_serving", "encore.v1.RecommenderService")


def test_a_server_out_of_reach_does_not_serve(call: Call, server: ScriptedServer) -> None:
    server.stop()
    assert not call("is_serving")


def test_threads_share_one_client(server: ScriptedServer) -> None:
    together = threading.Barrier(8)

    def score(index: int) -> str:
        together.wait(5)
        return client.score("u", [f"o{index}"]).object_ids[0]

    with (
        EncoreClient(server.target, domain="music") as client,
        ThreadPoolExecutor(8) as pool,
    ):
        assert list(pool.map(score, range(8))) == [f"o{index}" for index in range(8)]


def test_credentials_make_the_channel_a_secure_one(server: ScriptedServer) -> None:
    # Local credentials make secure channels without certificates.
    mine = grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP)

    async def score() -> ScoredObjects:
        async with AsyncEncoreClient(
            server.secure_target, domain="music", credentials=mine
        ) as client:
            return await client.score("u", ["a"])

    with EncoreClient(server.secure_target, domain="music", credentials=mine) as client:
        client.score("u", ["a"])
    asyncio.run(score())
    with EncoreClient(server.target, domain="music") as in_the_clear:
        in_the_clear.score("u", ["a"])
    assert [seen.security for seen in server.seen["Score"]] == ["local", "local", "insecure"]


def test_operators_see_features_by_row_and_what_serves(server: ScriptedServer) -> None:
    with AdminClient(server.target) as admin:
        features = admin.debug_features("music", "u", ["a", "b"])
        (model,) = admin.list_serving()
    assert features.object_ids == ("a", "b")
    assert features.number_columns == ("age", "plays")
    assert features.numbers[0] == (30.0, 0.5)
    assert features.numbers[1][1] != features.numbers[1][1]  # NaN
    assert (features.code_columns, features.codes) == (("city",), ((13,), (0,)))
    assert (model.domain, model.model_version, model.watermark) == ("music", "m1", 2**40)


def test_operators_are_told_what_became_of_objects(server: ScriptedServer) -> None:
    with AdminClient(server.target) as admin:
        answer = admin.why_not(
            "music", "u", ["a", "b"], pool="royalty_free", exclude_ids=["c"], max_per_facet=0
        )
    sent = server.seen["WhyNot"][0].request
    assert (sent.request.domain, sent.request.user.id) == ("music", "u")
    assert (sent.request.pool, list(sent.request.exclude_ids)) == ("royalty_free", ["c"])
    assert list(sent.object_ids) == ["a", "b"]
    listed, newer = answer.fates
    assert (listed.stage, listed.why) == (FateStage.LISTED, "in the list at rank 2")
    assert (listed.probability, listed.score_place, listed.rank) == (0.5, 3, 2)
    assert listed.sources == (SourcePlace("popular", 7, 200, True),)
    assert newer.stage is FateStage.NEWER
    assert (newer.probability, newer.score_place, newer.rank) == (None, None, None)
    assert (answer.n_scored, answer.n_listed, answer.model_version) == (40, 10, "m1")
    assert answer.fallbacks == ("source als failed",)


def test_operators_get_the_same_errors(server: ScriptedServer) -> None:
    server.fail(
        "DebugFeatures",
        grpc.StatusCode.INVALID_ARGUMENT,
        violations={"object_ids": "more than 1,000: ask in parts"},
    )
    with AdminClient(server.target) as admin, pytest.raises(InvalidRequestError) as raised:
        admin.debug_features("music", "u", ["a"])
    assert raised.value.violations[0].field == "object_ids"
    sent = server.seen["DebugFeatures"][0].metadata["x-request-id"]
    assert raised.value.request_id == sent
