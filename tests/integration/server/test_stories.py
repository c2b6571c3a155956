"""Stories over the wire: what is refused, which window is played, and how long a pick stays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.ports import ObjectAudio
from server.store.errors import StoreUnavailableError
from server.testing import QUIET, FakeEngine, Parts, RunningServer, bad_fields, in_loop, refused
from server.testing.harness import running_server

TTL_S = QUIET.story_ttl_s


@pytest.fixture
def encore() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


def ask(user: str = "ann", size: int = 3, **story: object) -> pb.RecommendRequest:
    asked = pb.Story(**{"story_id": "s1", **story})  # type: ignore[arg-type]
    user_message = common_pb.User(id=user)
    return pb.RecommendRequest(domain="music", user=user_message, page_size=size, story=asked)


def ids(page: pb.RecommendResponse) -> list[str]:
    return [item.object_id for item in page.items]


@pytest.mark.parametrize(
    ("story", "field"),
    [
        ({"story_id": ""}, "story.story_id"),
        ({"story_id": "x" * 257}, "story.story_id"),
        ({"story_id": "a\nb"}, "story.story_id"),
        ({"tags": ["t"] * 21}, "story.tags"),
        ({"tags": ["rock", ""]}, "story.tags[1]"),
        ({"tags": ["x" * 129]}, "story.tags[0]"),
        ({"max_seconds": 0}, "story.max_seconds"),
        ({"max_seconds": -1}, "story.max_seconds"),
        ({"max_seconds": 601}, "story.max_seconds"),
    ],
)
def test_a_malformed_story_is_refused_by_the_name_of_its_field(
    encore: RunningServer, story: dict[str, Any], field: str
) -> None:
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(ask(**story)))
    assert list(bad_fields(error)) == [field]
    assert not encore.parts.recommendations.records


@pytest.mark.parametrize(
    "story",
    [
        {"story_id": "é" * 128},
        {"tags": ["t"] * 20},
        {"max_seconds": 1},
        {"max_seconds": 600},
    ],
)
def test_a_story_at_the_limits_is_answered(encore: RunningServer, story: dict[str, Any]) -> None:
    assert len(encore.api.Recommend(ask(**story)).items) == 3


def test_each_item_says_which_part_to_play(encore: RunningServer) -> None:
    audio = encore.parts.object_audio
    audio.replace("music", [ObjectAudio("t00", 12_000, 15_000), ObjectAudio("t01", 0, 0)])
    chosen, unchosen, unheard = encore.api.Recommend(ask(max_seconds=5)).items
    assert chosen.preview == pb.PreviewWindow(start_ms=17_000, length_ms=5_000)
    guess = pb.PreviewWindow(start_ms=30_000, length_ms=5_000, is_default=True)
    assert unchosen.preview == unheard.preview == guess


def test_other_lists_have_no_previews(encore: RunningServer) -> None:
    encore.parts.object_audio.replace("music", [ObjectAudio("t00", 12_000, 15_000)])
    page = encore.api.Recommend(pb.RecommendRequest(domain="music"))
    assert not any(item.HasField("preview") for item in page.items)


def test_a_store_that_does_not_know_of_sounds_leaves_guesses(encore: RunningServer) -> None:
    encore.parts.object_audio.failure = StoreUnavailableError("gone")
    page = encore.api.Recommend(ask())
    assert all(item.preview.is_default for item in page.items)


def test_a_story_keeps_its_pick_for_a_user_for_a_while(encore: RunningServer) -> None:
    engine: FakeEngine = encore.parts.engine
    first = encore.api.Recommend(ask())
    again = encore.api.Recommend(ask())
    assert ids(again) == ids(first)
    assert again.recommendation_id != first.recommendation_id
    calls = engine.calls.count("recommend")
    for other in (ask(user="bob"), ask(story_id="s2"), ask(tags=["rock"]), ask(max_seconds=5)):
        encore.api.Recommend(other)
    assert engine.calls.count("recommend") == calls + 4
    encore.parts.clock.now_s += TTL_S - 1
    encore.api.Recommend(ask())
    assert engine.calls.count("recommend") == calls + 4
    encore.parts.clock.now_s += 2
    encore.api.Recommend(ask())
    assert engine.calls.count("recommend") == calls + 5


def test_a_caller_who_wants_a_live_list_has_the_story_picked_anew(encore: RunningServer) -> None:
    request = ask()
    request.list_mode = pb.LIST_MODE_LIVE
    calls = encore.parts.engine.calls.count("recommend")
    for _ in range(2):
        encore.api.Recommend(request)
    assert encore.parts.engine.calls.count("recommend") == calls + 2


def test_a_kept_pick_that_the_user_dislikes_is_gone_at_once(encore: RunningServer) -> None:
    pick, second, *_ = ids(encore.api.Recommend(ask()))
    disliked = pb.FeedbackEvent(
        event_id="e1", user_id="ann", object_id=pick, outcome=common_pb.OUTCOME_DISLIKE
    )
    encore.api.Feedback(pb.FeedbackRequest(domain="music", events=[disliked]))
    left = ids(encore.api.Recommend(ask()))
    assert left[0] == second
    assert pick not in left


def test_another_model_picks_anew() -> None:
    with running_server(Parts()) as encore:
        encore.api.Recommend(ask())
        turned = {"t24": 0.99, "t00": 0.5, "t01": 0.4}
        engine = FakeEngine(model_version="v2", catalogue=turned)
        offered = encore.parts.capabilities["music"]
        in_loop(encore.server.swap(engine, offered))
        assert ids(encore.api.Recommend(ask()))[0] == "t24"


def test_stories_without_a_user_are_picked_anew_each_time(encore: RunningServer) -> None:
    calls = encore.parts.engine.calls.count("recommend")
    for _ in range(2):
        encore.api.Recommend(ask(user=""))
    assert encore.parts.engine.calls.count("recommend") == calls + 2


def test_the_pages_of_a_story_belong_to_it(encore: RunningServer) -> None:
    first = encore.api.Recommend(ask())
    request = ask()
    request.page_token = first.next_page_token
    second = encore.api.Recommend(request)
    assert not set(ids(first)) & set(ids(second))
    assert all(item.HasField("preview") for item in second.items)
    for other in ({"story_id": "s2"}, {"tags": ["rock"]}, {"max_seconds": 9}):
        stranger = ask(**other)
        stranger.page_token = first.next_page_token
        error = refused("INVALID_ARGUMENT", partial(encore.api.Recommend, stranger))
        assert list(bad_fields(error)) == ["page_token"]


def test_validation_alone_answers_with_nothing(encore: RunningServer) -> None:
    request = ask()
    request.validate_only = request.include_media = True
    page = encore.api.Recommend(request)
    assert (list(page.items), page.recommendation_id) == ([], "")
