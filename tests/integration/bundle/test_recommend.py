"""Recommend from a real bundle: what a page promises holds, whatever was asked before."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from encore_client import EncoreClient, FeedbackEvent, Novelty, Outcome, Recommendation
from server.testing import ManualClock, RunningServer, bad_fields, reason, refused
from server.testing.bundles import TinyBundle, serving_bundles

NUMBERS = count()


@pytest.fixture
def newcomer() -> str:
    """A user that nobody has heard of: no test meets another's."""
    return f"newcomer {next(NUMBERS)}"


def ids(*pages: Recommendation) -> list[str]:
    return [item.object_id for page in pages for item in page.items]


def artists(bundle: TinyBundle, object_ids: list[str]) -> list[str]:
    column = bundle.log.objects.columns["artist"]
    places = {name: place for place, name in enumerate(bundle.log.objects.ids)}
    # What came after the log, from another test, has no artist.
    return [str(column[places[i]]) if i in places else "" for i in object_ids]


def taken_before(bundle: TinyBundle, user: str) -> set[str]:
    log = bundle.log
    rows = log.user_index == log.users.ids.index(user)
    return {log.objects.ids[i] for i in log.object_index[rows]}


@pytest.mark.parametrize("page_size", [1, 7, 50, 100])
def test_pages_are_disjoint_and_together_the_queue(
    client: EncoreClient, tiny_music: TinyBundle, page_size: int
) -> None:
    user = tiny_music.users[3]
    whole = client.recommend(user, page_size=100)
    pages = list(client.recommend_pages(user, page_size=page_size))
    assert ids(*pages) == ids(whole)
    items = [item for page in pages for item in page.items]
    assert [item.rank for item in items] == list(range(1, len(items) + 1))
    assert len(set(ids(*pages))) == len(items) > 20
    assert {len(page.items) for page in pages[:-1]} <= {page_size}
    probabilities = [item.probability for item in items]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0.0 < p < 1.0 for p in probabilities)
    assert len({page.recommendation_id for page in pages}) == len(pages)


def test_what_a_user_had_and_never_had_can_be_asked_apart(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    for user in tiny_music.users[:6]:
        had = taken_before(tiny_music, user)
        new = ids(*client.recommend_pages(user, page_size=100, novelty=Novelty.NEW_ONLY))
        assert new
        assert not had & set(new)
        known = ids(*client.recommend_pages(user, page_size=100, novelty=Novelty.KNOWN_ONLY))
        assert known
        assert set(known) <= had


def test_what_is_disliked_never_comes_back(client: EncoreClient, newcomer: str) -> None:
    first = client.recommend(newcomer, page_size=5)
    later = client.recommend(newcomer, page_size=100, page_token=first.next_page_token)
    disliked = [first.items[0].object_id, *ids(later)[:2], ids(later)[-1]]
    # The token of the queue above is stale now, so page on from a fresh first page.
    first = client.recommend(newcomer, page_size=5)
    for object_id in disliked:
        client.dislike(newcomer, object_id)
    rest = client.recommend(newcomer, page_size=100, page_token=first.next_page_token)
    assert not set(disliked) & set(ids(rest))
    assert ids(rest) == [i for i in ids(later) if i not in disliked]
    fresh = ids(*client.recommend_pages(newcomer, page_size=100))
    assert fresh
    assert not set(disliked) & set(fresh)
    asked_outright = client.recommend(newcomer, candidate_ids=[*disliked, *ids(later)[4:6]])
    assert set(ids(asked_outright)) == set(ids(later)[4:6])


def test_a_dislike_taken_back_lets_an_object_return(client: EncoreClient, newcomer: str) -> None:
    best = client.recommend(newcomer).items[0].object_id
    client.dislike(newcomer, best)
    assert best not in ids(client.recommend(newcomer, page_size=100))
    client.feedback([FeedbackEvent(newcomer, best, Outcome.UNLIKE)])
    assert best in ids(client.recommend(newcomer, page_size=100))


def test_a_fresh_like_moves_the_next_answer_and_says_why(
    client: EncoreClient, tiny_music: TinyBundle, newcomer: str
) -> None:
    before = client.recommend(newcomer, page_size=100)
    assert any("new user" in fallback for fallback in before.fallbacks)
    assert {source for item in before.items for source in item.sources} == {"popular"}
    liked = tiny_music.objects[2]
    client.like(newcomer, liked)
    after = client.recommend(newcomer, page_size=100)
    assert ids(after) != ids(before)
    assert not after.fallbacks
    reasons = [reason for item in after.items for reason in item.reasons]
    assert f"similar to {liked}" in reasons
    sources = {source for item in after.items for source in item.sources}
    # The list before it stays in sight: it has become the queue that is ranked anew.
    assert sources == {
        "queue",
        "popular",
        "popular_in_segment",
        "item_to_item",
        "weighted_item_to_item",
        "similar_users",
        "als",
        "bpr",
        "latent_nearest",
        "facet_nearest",
    }


def test_what_was_just_played_rests(client: EncoreClient, newcomer: str) -> None:
    first = client.recommend(newcomer, page_size=5)
    played = first.items[1].object_id
    client.play(newcomer, played, recommendation_id=first.recommendation_id)
    assert played not in ids(*client.recommend_pages(newcomer, page_size=100))


def test_a_list_can_be_narrowed(
    client: EncoreClient, tiny_music: TinyBundle, newcomer: str
) -> None:
    free = tiny_music.log.pools["royalty_free"]
    pooled = ids(client.recommend(newcomer, page_size=100, pool="royalty_free"))
    assert pooled
    assert set(pooled) <= free

    whole = ids(client.recommend(newcomer, page_size=100))
    excluded = [*whole[::2], "never heard of"]
    assert not set(excluded) & set(ids(client.recommend(newcomer, exclude_ids=excluded)))

    wanted = tiny_music.objects[-40:]
    chosen = client.recommend(newcomer, page_size=100, candidate_ids=wanted, max_per_facet=0)
    assert sorted(ids(chosen)) == sorted(wanted)
    assert {item.sources for item in chosen.items} == {("request",)}


def test_repeated_and_unknown_candidates_are_left_out_and_named(
    client: EncoreClient, tiny_music: TinyBundle, newcomer: str
) -> None:
    one = tiny_music.objects[5]
    page = client.recommend(newcomer, candidate_ids=[one, one, "never heard of", one])
    assert ids(page) == [one]
    assert page.fallbacks == ("1 unknown candidate ids left out",)
    nothing = client.recommend(newcomer, candidate_ids=["never heard of"])
    assert (nothing.items, nothing.next_page_token) == ((), "")


def test_all_candidates_of_a_request_are_ranked(
    client: EncoreClient, tiny_music: TinyBundle, newcomer: str
) -> None:
    wanted = tiny_music.objects[:350]
    pages = client.recommend_pages(newcomer, page_size=100, candidate_ids=wanted, max_per_facet=0)
    assert sorted(ids(*pages)) == sorted(wanted)


def test_the_cap_per_artist_is_the_domains_or_the_requests(
    client: EncoreClient, tiny_music: TinyBundle, newcomer: str
) -> None:
    many = [a for a, n in Counter(artists(tiny_music, [*tiny_music.objects])).items() if n > 5]
    wanted = [
        i
        for i, artist in zip(
            tiny_music.objects, artists(tiny_music, [*tiny_music.objects]), strict=True
        )
        if artist in many[:10]
    ]

    def most(cap: int | None) -> int:
        page = client.recommend(newcomer, page_size=100, candidate_ids=wanted, max_per_facet=cap)
        return max(Counter(artists(tiny_music, ids(page))).values())

    assert [most(cap) for cap in (1, 2, None)] == [1, 2, 3]
    assert most(0) > 5


def test_users_without_id_and_objects_never_heard_of_are_served(client: EncoreClient) -> None:
    anonymous = list(client.recommend_pages("", page_size=30))
    assert len(set(ids(*anonymous))) == len(ids(*anonymous)) > 30
    heard_of = "a track of this morning"
    client.play("a first listener", heard_of)
    page = client.recommend("a second listener", candidate_ids=[heard_of])
    assert ids(page) == [heard_of]


def ask(user: str, **fields: object) -> pb.RecommendRequest:
    fields = {"domain": "music", **fields}
    return pb.RecommendRequest(user=common_pb.User(id=user), **fields)  # type: ignore[arg-type]


def test_a_token_of_a_replaced_queue_is_refused_with_a_reason(
    encore: RunningServer, newcomer: str
) -> None:
    old = encore.api.Recommend(ask(newcomer))
    new = encore.api.Recommend(ask(newcomer))
    stale = ask(newcomer, page_token=old.next_page_token)
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(stale))
    assert reason(error) == "STALE_PAGE_TOKEN"
    assert "ask for a first page again" in str(error.details())
    assert encore.api.Recommend(ask(newcomer, page_token=new.next_page_token)).items


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"pool": "no such pool"}, "pool"),
        ({"context": {"weather": "rain"}}, 'context["weather"]'),
        ({"page_size": 101}, "page_size"),
        ({"candidate_ids": [str(i) for i in range(10_001)]}, "candidate_ids"),
    ],
    ids=["pool", "context", "page size", "candidates"],
)
@pytest.mark.parametrize("validate_only", [False, True])
def test_what_is_wrong_is_named_also_when_only_validated(
    encore: RunningServer, wrong: dict[str, object], field: str, validate_only: bool
) -> None:
    request = ask("ann", validate_only=validate_only, **wrong)
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Recommend(request))
    assert list(bad_fields(error)) == [field]


def test_a_sound_request_that_is_only_validated_stores_nothing(
    encore: RunningServer, newcomer: str
) -> None:
    first = encore.api.Recommend(ask(newcomer))
    checked = encore.api.Recommend(ask(newcomer, validate_only=True))
    assert (checked.recommendation_id, len(checked.items), checked.next_page_token) == ("", 0, "")
    # The queue of the first page is still there.
    assert encore.api.Recommend(ask(newcomer, page_token=first.next_page_token)).items


def test_a_token_outlives_a_restart(tiny_music: TinyBundle, tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/encore.sqlite3", ManualClock(tiny_music.end_s + 1.0)
    user = tiny_music.users[0]
    with serving_bundles(tiny_music.root, url, clock, domains=("music",)) as before:
        whole = before.api.Recommend(ask(user, page_size=30))
        first = before.api.Recommend(ask(user, page_size=10))
        events = [
            pb.FeedbackEvent(
                event_id="e1",
                user_id=user,
                object_id=whole.items[12].object_id,
                outcome=common_pb.OUTCOME_DISLIKE,
            )
        ]
        before.api.Feedback(pb.FeedbackRequest(domain="music", events=events))
    with serving_bundles(tiny_music.root, url, clock, domains=("music",)) as after:
        rest = after.api.Recommend(ask(user, page_size=17, page_token=first.next_page_token))
        expected = [item.object_id for item in whole.items]
        expected = [*expected[10:12], *expected[13:28]]
        assert [item.object_id for item in rest.items] == expected
        again = [item.object_id for item in after.api.Recommend(ask(user, page_size=100)).items]
        assert again
        assert whole.items[12].object_id not in again


PICKS = st.lists(st.integers(0, 200), max_size=25, unique=True)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    known=st.booleans(),
    disliked=PICKS,
    played=PICKS,
    excluded=PICKS,
    candidates=PICKS,
    pool=st.sampled_from(["", "royalty_free"]),
    page_size=st.integers(1, 40),
    cap=st.sampled_from([None, 0, 1, 4]),
    dislike_midway=st.integers(0, 30),
)
def test_no_page_ever_breaks_a_promise(
    client: EncoreClient,
    tiny_music: TinyBundle,
    known: bool,
    disliked: list[int],
    played: list[int],
    excluded: list[int],
    candidates: list[int],
    pool: str,
    page_size: int,
    cap: int | None,
    dislike_midway: int,
) -> None:
    """No duplicates, nothing excluded, out of the pool, just played or disliked, on any page."""
    objects = tiny_music.objects
    number = next(NUMBERS)
    user = tiny_music.users[number % 20] if known else f"someone {number}"
    outcomes = [(Outcome.DISLIKE, disliked), (Outcome.PLAY, played)]
    client.feedback(
        FeedbackEvent(user, objects[i], outcome) for outcome, picks in outcomes for i in picks
    )
    forbidden = {objects[i] for i in (*disliked, *played, *excluded)}
    seen: list[str] = []
    pages = client.recommend_pages(
        user,
        page_size=page_size,
        pool=pool,
        exclude_ids=[objects[i] for i in excluded],
        candidate_ids=[objects[i] for i in candidates],
        max_per_facet=cap,
    )
    for page in pages:
        assert len(page.items) <= page_size
        for object_id in ids(page):
            assert object_id not in forbidden
            seen.append(object_id)
        if page.next_page_token and dislike_midway < 10:
            # Something that may come on a later page, or has come already.
            unwanted = objects[dislike_midway * 7]
            client.dislike(user, unwanted)
            forbidden.add(unwanted)
            dislike_midway += 1
    assert len(set(seen)) == len(seen)
    if pool:
        assert set(seen) <= tiny_music.log.pools[pool]
    if candidates:
        assert set(seen) <= {objects[i] for i in candidates}
    if cap:
        named = [artist for artist in artists(tiny_music, seen) if artist]
        assert max(Counter(named).values(), default=0) <= cap
