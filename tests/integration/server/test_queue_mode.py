"""Recommend from the stored queue, over the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import CATALOGUE, Parts, RunningServer, bad_fields, refused, running_server

RANKED = sorted(CATALOGUE, key=lambda i: -CATALOGUE[i])
USERS = iter(range(1_000_000))


@pytest.fixture(scope="module")
def encore() -> Iterator[RunningServer]:
    settings = Parts().settings.model_copy(update={"queue_low": 0.0})
    with running_server(Parts(settings=settings)) as running:
        yield running


def ask(user: str, **fields: object) -> pb.RecommendRequest:
    fields = {"domain": "music", "page_size": 4, "list_mode": pb.LIST_MODE_QUEUE, **fields}
    return pb.RecommendRequest(user=common_pb.User(id=user), **fields)  # type: ignore[arg-type]


def objects(page: pb.RecommendResponse) -> list[str]:
    return [item.object_id for item in page.items]


def play(encore: RunningServer, user: str, *object_ids: str) -> None:
    encore.parts.clock.now_s += 1.0
    events = [
        pb.FeedbackEvent(
            event_id=f"{user}-{i}-{encore.parts.clock.now_s}",
            user_id=user,
            object_id=i,
            outcome=common_pb.OUTCOME_PLAY,
        )
        for i in object_ids
    ]
    if events:
        encore.api.Feedback(pb.FeedbackRequest(domain="music", events=events))
    encore.parts.clock.now_s += 1.0


def test_the_second_first_page_ranks_nothing_and_is_a_recommendation_of_its_own(
    encore: RunningServer,
) -> None:
    first = encore.api.Recommend(ask("ann"))
    ranked = encore.parts.engine.calls.count("recommend")
    second = encore.api.Recommend(ask("ann", page_size=6))
    assert encore.parts.engine.calls.count("recommend") == ranked
    assert objects(second) == RANKED[:6]
    assert first.recommendation_id != second.recommendation_id
    assert encore.metric("encore_recommend_first_pages_total", origin="queue") == 1


def test_the_list_mode_of_a_later_page_counts_for_nothing(encore: RunningServer) -> None:
    first = encore.api.Recommend(ask("bob"))
    live = ask("bob", page_token=first.next_page_token, list_mode=pb.LIST_MODE_LIVE)
    assert objects(encore.api.Recommend(live)) == RANKED[4:8]


def test_an_unknown_list_mode_is_refused(encore: RunningServer) -> None:
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(ask("ann", list_mode=9)))
    assert list(bad_fields(error)) == ["list_mode"]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1),
    plays=st.lists(st.lists(st.sampled_from(RANKED), max_size=3, unique=True), max_size=8),
    mode=st.sampled_from(pb.ListMode.values()),
)
def test_the_pages_of_one_queue_version_partition_it(
    encore: RunningServer, sizes: list[int], plays: list[list[str]], mode: pb.ListMode.ValueType
) -> None:
    user = f"user {next(USERS)}"
    page = encore.api.Recommend(ask(user, page_size=sizes[0], list_mode=mode))
    shown, played, between = objects(page), set[str](), iter(plays)
    for turn in range(1, len(RANKED) + 1):
        if not page.next_page_token:
            break
        gone = next(between, [])
        play(encore, user, *gone)
        played |= set(gone)
        size = sizes[turn % len(sizes)]
        page = encore.api.Recommend(
            ask(user, page_size=size, page_token=page.next_page_token, list_mode=mode)
        )
        assert not played & set(objects(page))
        shown += objects(page)
    assert not page.next_page_token
    assert len(set(shown)) == len(shown)
    assert shown == sorted(shown, key=RANKED.index)
    assert set(shown) | played == set(RANKED)
