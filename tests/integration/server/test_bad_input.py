"""Whatever callers send, the answer is a reply or says what they did wrong: never INTERNAL."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import RunningServer

SERVICE = "/encore.v1.RecommenderService"
ALLOWED = {"OK", "INVALID_ARGUMENT"}
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
WORDS = st.one_of(
    st.sampled_from(["music", "t00", "age", "city", "source_tab", "royalty_free", ""]),
    st.text(max_size=300),
)
FIELDS = st.dictionaries(WORDS, WORDS, max_size=3)
IDS = st.lists(WORDS, max_size=4)
DOMAINS = st.one_of(st.just("music"), WORDS)
USERS = st.builds(common_pb.User, id=WORDS, attributes=FIELDS)
TRIES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def code_of(encore: RunningServer, method: str, message: bytes) -> str:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = encore.channel.unary_unary(
        f"{SERVICE}/{method}"
    )
    try:
        call(message)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


@TRIES
@given(
    st.builds(
        pb.ScoreRequest,
        domain=DOMAINS,
        user=USERS,
        object_ids=IDS,
        context=FIELDS,
        profile=st.one_of(st.integers(0, 2), INT32),
        include_members=st.booleans(),
        explain=st.booleans(),
        top_features=st.one_of(st.integers(0, 100), INT32),
        request_id=WORDS,
    )
)
def test_any_score_request(encore: RunningServer, request_: pb.ScoreRequest) -> None:
    assert code_of(encore, "Score", request_.SerializeToString()) in ALLOWED


@TRIES
@given(
    st.builds(
        pb.RecommendRequest,
        domain=DOMAINS,
        user=USERS,
        context=st.one_of(st.just({}), FIELDS),
        page_size=st.one_of(st.integers(0, 100), INT32),
        page_token=st.one_of(st.just(""), WORDS),
        pool=WORDS,
        candidate_ids=IDS,
        exclude_ids=IDS,
        max_per_facet=st.one_of(st.none(), INT32),
        profile=st.one_of(st.integers(0, 2), INT32),
        validate_only=st.booleans(),
    )
)
def test_any_recommend_request(encore: RunningServer, request_: pb.RecommendRequest) -> None:
    assert code_of(encore, "Recommend", request_.SerializeToString()) in ALLOWED


@TRIES
@given(
    st.builds(
        pb.FeedbackRequest,
        domain=DOMAINS,
        events=st.lists(
            st.builds(
                pb.FeedbackEvent,
                event_id=WORDS,
                user_id=WORDS,
                object_id=WORDS,
                outcome=st.one_of(st.integers(0, 8), INT32),
                occurred_at=st.one_of(st.none(), st.builds(Timestamp, seconds=INT64, nanos=INT32)),
                recommendation_id=WORDS,
                value=st.floats(),
                context=FIELDS,
            ),
            max_size=3,
        ),
    )
)
def test_any_feedback_request(encore: RunningServer, request_: pb.FeedbackRequest) -> None:
    assert code_of(encore, "Feedback", request_.SerializeToString()) in ALLOWED


@TRIES
@given(
    st.one_of(
        st.builds(pb.GenreNeighborRequest, domain=DOMAINS, track_id=WORDS, k=INT32, pool=WORDS),
        st.builds(pb.GenreNeighborRequest, domain=DOMAINS, audio=st.binary(max_size=50)),
    )
)
def test_any_genre_request(encore: RunningServer, request_: pb.GenreNeighborRequest) -> None:
    assert code_of(encore, "GenreNeighbor", request_.SerializeToString()) in ALLOWED


@pytest.mark.parametrize("method", ["Score", "Recommend", "GenreNeighbor", "Feedback"])
@TRIES
@given(message=st.binary(max_size=100))
def test_any_bytes_at_all(encore: RunningServer, method: str, message: bytes) -> None:
    assert code_of(encore, method, message) in ALLOWED
