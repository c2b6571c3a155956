"""Whatever comes over the wire, a real engine answers or says what was wrong, and lives on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import RunningServer, bad_fields, refused
from server.testing.bundles import TinyBundle

ALLOWED = {"OK", "INVALID_ARGUMENT", "UNIMPLEMENTED"}
TRIES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
DOMAINS = st.sampled_from(["music", "music", "shopping", "opera", ""])
NUMBERS = st.floats(allow_nan=True, allow_infinity=True).map(str)
VALUES = st.one_of(st.text(max_size=20), NUMBERS, st.integers().map(str))
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["age", "city", "gender", "registered_at", "registered_via", "nonsense"]),
    VALUES,
    max_size=3,
)
CONTEXT = st.dictionaries(
    st.sampled_from(["source_tab", "source_screen", "source_type"]), VALUES, max_size=3
)
PLACES = st.lists(st.one_of(st.integers(0, 500), st.text(max_size=8)), max_size=8)


def outcome_of(encore: RunningServer, method: str, message: bytes) -> tuple[str, bytes]:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = encore.channel.unary_unary(
        f"/encore.v1.RecommenderService/{method}"
    )
    try:
        return "OK", call(message)
    except grpc.RpcError as error:
        return str(error.code().name), b""


@pytest.fixture(autouse=True)
def lives_on(encore: RunningServer, tiny_music: TinyBundle) -> Iterator[None]:
    yield
    assert encore.health() == "SERVING"
    asked = pb.ScoreRequest(domain="music", object_ids=tiny_music.objects[:2])
    assert len(encore.api.Score(asked).probabilities) == 2


@TRIES
@given(
    domain=DOMAINS,
    attributes=ATTRIBUTES,
    context=CONTEXT,
    places=PLACES,
    profile=st.integers(0, 3),
    explain=st.booleans(),
)
def test_any_score(
    encore: RunningServer,
    tiny_music: TinyBundle,
    domain: str,
    attributes: dict[str, str],
    context: dict[str, str],
    places: list[int | str],
    profile: int,
    explain: bool,
) -> None:
    request = pb.ScoreRequest(
        domain=domain,
        user=common_pb.User(id=tiny_music.users[0], attributes=attributes),
        object_ids=[tiny_music.objects[p] if isinstance(p, int) else p for p in places],
        context=context,
        profile=profile,  # type: ignore[arg-type]
        include_members=True,
        explain=explain,
    )
    code, raw = outcome_of(encore, "Score", request.SerializeToString())
    assert code in ALLOWED
    if code == "OK":
        reply = pb.ScoreResponse.FromString(raw)
        told = [*reply.probabilities, *(p for m in reply.members for p in m.probabilities)]
        assert len(reply.probabilities) == len(request.object_ids)
        assert all(math.isfinite(p) and 0.0 <= p <= 1.0 for p in told)
        assert len(reply.explanations) == (len(request.object_ids) if explain else 0)
        for why in reply.explanations:
            added = math.fsum(member.contribution for member in why.members)
            assert why.intercept + added == pytest.approx(why.logit, abs=1e-6)


@TRIES
@given(
    domain=DOMAINS,
    attributes=ATTRIBUTES,
    context=CONTEXT,
    candidates=PLACES,
    excluded=PLACES,
    page_size=st.integers(-1, 101),
    cap=st.one_of(st.none(), st.integers(-1, 2**31 - 1)),
    pool=st.sampled_from(["", "royalty_free", "nonsense"]),
)
def test_any_recommend(
    encore: RunningServer,
    tiny_music: TinyBundle,
    domain: str,
    attributes: dict[str, str],
    context: dict[str, str],
    candidates: list[int | str],
    excluded: list[int | str],
    page_size: int,
    cap: int | None,
    pool: str,
) -> None:
    objects = tiny_music.objects
    request = pb.RecommendRequest(
        domain=domain,
        user=common_pb.User(id=tiny_music.users[1], attributes=attributes),
        context=context,
        candidate_ids=[objects[p] if isinstance(p, int) else p for p in candidates],
        exclude_ids=[objects[p] if isinstance(p, int) else p for p in excluded],
        page_size=page_size,
        max_per_facet=cap,
        pool=pool,
    )
    code, raw = outcome_of(encore, "Recommend", request.SerializeToString())
    assert code in ALLOWED
    if code == "OK":
        items = pb.RecommendResponse.FromString(raw).items
        assert len(items) <= (page_size or 10)
        assert all(math.isfinite(item.probability) for item in items)


@TRIES
@given(
    domain=DOMAINS,
    story_id=st.one_of(st.just("s1"), st.text(max_size=6)),
    tags=st.lists(st.one_of(st.sampled_from(["rock", "Hip-Hop"]), st.text(max_size=6)), max_size=4),
    max_seconds=st.one_of(st.none(), st.integers(-1, 602)),
    candidates=PLACES,
    pool=st.sampled_from(["", "royalty_free", "nonsense"]),
    include_media=st.booleans(),
)
def test_any_story(
    encore: RunningServer,
    tiny_music: TinyBundle,
    domain: str,
    story_id: str,
    tags: list[str],
    max_seconds: int | None,
    candidates: list[int | str],
    pool: str,
    include_media: bool,
) -> None:
    objects = tiny_music.objects
    request = pb.RecommendRequest(
        domain=domain,
        user=common_pb.User(id=tiny_music.users[1]),
        candidate_ids=[objects[p] if isinstance(p, int) else p for p in candidates],
        pool=pool,
        story=pb.Story(story_id=story_id, tags=tags, max_seconds=max_seconds),
        include_media=include_media,
    )
    code, raw = outcome_of(encore, "Recommend", request.SerializeToString())
    assert code in ALLOWED
    if code == "OK":
        items = pb.RecommendResponse.FromString(raw).items
        free = tiny_music.log.pools["royalty_free"]
        assert candidates or {item.object_id for item in items} <= free
        assert all(item.preview.length_ms > 0 for item in items)
        assert all(item.HasField("media") == include_media for item in items)


@TRIES
@given(
    domain=DOMAINS,
    user=st.text(max_size=10),
    obj=st.one_of(st.integers(0, 500), st.text(max_size=10)),
    outcome=st.integers(0, 9),
    seconds=st.one_of(st.none(), st.integers(-(2**40), 2**40)),
    value=st.floats(),
    context=CONTEXT,
    event_id=st.text(max_size=130),
)
def test_any_feedback(
    encore: RunningServer,
    tiny_music: TinyBundle,
    domain: str,
    user: str,
    obj: int | str,
    outcome: int,
    seconds: int | None,
    value: float,
    context: dict[str, str],
    event_id: str,
) -> None:
    event = pb.FeedbackEvent(
        event_id=event_id,
        user_id=user,
        object_id=tiny_music.objects[obj] if isinstance(obj, int) else obj,
        outcome=outcome,  # type: ignore[arg-type]
        occurred_at=None if seconds is None else Timestamp(seconds=seconds),
        value=value,
        context=context,
    )
    request = pb.FeedbackRequest(domain=domain, events=[event])
    code, raw = outcome_of(encore, "Feedback", request.SerializeToString())
    assert code in ALLOWED
    if code == "OK":
        reply = pb.FeedbackResponse.FromString(raw)
        assert reply.accepted + reply.duplicates + len(reply.rejected) == 1


@pytest.mark.parametrize(
    "message",
    [b"\x0a\x05mus\xff\xfe", b"\x0a\xff\xff\xff\xff\x7f", b"\x0a", b"\xff" * 200, b"\x00"],
    ids=["no UTF-8", "length beyond the end", "cut short", "only ones", "a zero"],
)
@pytest.mark.parametrize("method", ["Score", "Recommend", "GenreNeighbor", "Feedback"])
def test_bytes_that_are_no_message(encore: RunningServer, method: str, message: bytes) -> None:
    assert outcome_of(encore, method, message)[0] == "INVALID_ARGUMENT"


def test_an_empty_request_names_what_is_missing(encore: RunningServer) -> None:
    api = encore.api
    calls: dict[str, Callable[[], object]] = {
        "object_ids": lambda: api.Score(pb.ScoreRequest()),
        "domain": lambda: api.Recommend(pb.RecommendRequest()),
        "query": lambda: api.GenreNeighbor(pb.GenreNeighborRequest()),
        "events": lambda: api.Feedback(pb.FeedbackRequest()),
    }
    for field, call in calls.items():
        assert list(bad_fields(refused("INVALID_ARGUMENT", call))) == [field]


def test_a_message_beyond_the_limit_is_turned_away(encore: RunningServer) -> None:
    limit = encore.parts.settings.max_receive_bytes
    request = pb.GenreNeighborRequest(domain="music", audio=bytes(limit + 1))
    assert outcome_of(encore, "GenreNeighbor", request.SerializeToString())[0] == (
        "RESOURCE_EXHAUSTED"
    )
