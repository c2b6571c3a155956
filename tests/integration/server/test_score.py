"""Score over the wire: a real server, a real stub, an engine whose answers are known."""

from __future__ import annotations

import math

import grpc
import pytest

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import (
    NEW_OBJECT,
    TAKEN_BEFORE,
    RunningServer,
    bad_fields,
    refused,
    running_server,
)


def test_probabilities_come_in_the_order_asked(encore: RunningServer) -> None:
    reply = encore.api.Score(pb.ScoreRequest(domain="music", object_ids=["t10", "t00", "t10"]))
    assert list(reply.object_ids) == ["t10", "t00", "t10"]
    assert list(reply.probabilities) == [0.6, 0.8, 0.6]
    assert reply.model_version == "v1"


def test_unknown_objects_are_scored_and_named(encore: RunningServer) -> None:
    reply = encore.api.Score(pb.ScoreRequest(domain="music", object_ids=["t00", "brand new"]))
    assert list(reply.probabilities) == [0.8, NEW_OBJECT]
    assert list(reply.missing_ids) == ["brand new"]


def test_members_are_told_only_when_asked_for(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"])
    assert not encore.api.Score(ask).members
    ask.include_members = True
    members = {m.member: list(m.probabilities) for m in encore.api.Score(ask).members}
    assert members == {"felu": [0.8], "lightgbm": [0.4]}


def test_probabilities_are_explained_only_when_asked_for(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00", "t10"])
    assert not encore.api.Score(ask).explanations
    ask.explain = True
    reply = encore.api.Score(ask)
    assert len(reply.explanations) == 2
    for told, probability in zip(reply.explanations, reply.probabilities, strict=True):
        assert told.logit == pytest.approx(math.log(probability / (1.0 - probability)))
        added = sum(member.contribution for member in told.members)
        assert told.intercept + added == pytest.approx(told.logit)
        assert not told.HasField("branch_cosine")
        felu, lightgbm = told.members
        assert not felu.HasField("features")
        assert [f.feature for f in lightgbm.features.features] == ["times_taken", "age"]
        assert {f.family for f in lightgbm.features.families} == {"activity", "static"}


def test_an_explanation_names_as_many_features_as_asked(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"], explain=True, top_features=1)
    (told,) = encore.api.Score(ask).explanations
    features = told.members[-1].features
    assert [f.feature for f in features.features] == ["times_taken"]
    assert features.rest == 0.25


def test_fifty_objects_are_explained_in_one_call(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"] * 50, explain=True)
    assert len(encore.api.Score(ask).explanations) == 50


def test_ten_thousand_objects_fit_into_one_call(encore: RunningServer) -> None:
    ids = [f"{n:0256}" for n in range(10_000)]
    reply = encore.api.Score(pb.ScoreRequest(domain="music", object_ids=ids))
    assert len(reply.probabilities) == 10_000


def test_the_request_id_of_the_request_is_echoed(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"], request_id="mine")
    assert encore.api.Score(ask).request_id == "mine"


def test_the_request_id_of_the_metadata_is_echoed_in_answer_and_trailers(
    encore: RunningServer,
) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"])
    reply, call = encore.api.Score.with_call(ask, metadata=(("x-request-id", "proxied"),))
    assert reply.request_id == "proxied"
    assert ("x-request-id", "proxied") in [tuple(pair) for pair in call.trailing_metadata()]


@pytest.mark.parametrize(("mine", "trailer"), [("a b é", "a%20b%20%C3%A9"), ("50%", "50%25")])
def test_a_request_id_that_headers_cannot_carry_is_echoed_and_escaped_there(
    encore: RunningServer, mine: str, trailer: str
) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"], request_id=mine)
    reply, call = encore.api.Score.with_call(ask)
    assert reply.request_id == mine
    assert ("x-request-id", trailer) in [tuple(pair) for pair in call.trailing_metadata()]


def test_a_request_without_an_id_gets_one(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"])
    assert encore.api.Score(ask).request_id != encore.api.Score(ask).request_id


@pytest.mark.parametrize(
    ("ask", "fields"),
    [
        (pb.ScoreRequest(domain="music"), ["object_ids"]),
        (pb.ScoreRequest(domain="music", object_ids=["a"] * 10_001), ["object_ids"]),
        (pb.ScoreRequest(domain="music", object_ids=["a", "b", "c", ""]), ["object_ids[3]"]),
        (pb.ScoreRequest(domain="music", object_ids=["a"] * 51, explain=True), ["object_ids"]),
        (pb.ScoreRequest(domain="music", explain=True), ["object_ids"]),
        (pb.ScoreRequest(domain="music", object_ids=["a"], top_features=-1), ["top_features"]),
        (
            pb.ScoreRequest(domain="music", object_ids=["a"], explain=True, top_features=101),
            ["top_features"],
        ),
        (pb.ScoreRequest(domain="music", object_ids=["a\0"]), ["object_ids[0]"]),
        (pb.ScoreRequest(domain="music", object_ids=["a" * 257]), ["object_ids[0]"]),
        (
            pb.ScoreRequest(domain="music", object_ids=["a"], user=common_pb.User(id="\n")),
            ["user.id"],
        ),
        (
            pb.ScoreRequest(domain="music", object_ids=["a"], context={"source_tba": "x"}),
            ['context["source_tba"]'],
        ),
        (
            pb.ScoreRequest(
                domain="music", object_ids=["a"], user=common_pb.User(attributes={"shoe": "43"})
            ),
            ['user.attributes["shoe"]'],
        ),
        (
            pb.ScoreRequest(
                domain="music", object_ids=["a"], user=common_pb.User(attributes={"age": "nan"})
            ),
            ['user.attributes["age"]'],
        ),
        (
            pb.ScoreRequest(domain="music", object_ids=["a"], profile=7),  # type: ignore[arg-type]
            ["profile"],
        ),
        (pb.ScoreRequest(domain="opera", object_ids=["a"]), ["domain"]),
        (pb.ScoreRequest(domain="x" * 100_000, object_ids=["a"]), ["domain"]),
        (pb.ScoreRequest(object_ids=["a"]), ["domain"]),
        (pb.ScoreRequest(domain="music", object_ids=["a"], request_id="r" * 200), ["request_id"]),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_malformed_requests_are_invalid_and_name_the_field(
    encore: RunningServer, ask: pb.ScoreRequest, fields: list[str]
) -> None:
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Score(ask))
    assert list(bad_fields(error)) == fields


def test_an_unknown_domain_is_answered_with_the_known_ones(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="opera", object_ids=["a"])
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Score(ask))
    assert bad_fields(error)["domain"] == "unknown: choose one of music"


def test_ten_thousand_bad_ids_are_refused_in_a_status_that_arrives(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["🎵" * 100 + "\0"] * 10_000)
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Score(ask))
    assert "object_ids[0]" in bad_fields(error)


def test_bytes_that_are_no_message_are_the_callers_error(encore: RunningServer) -> None:
    score: grpc.UnaryUnaryMultiCallable[bytes, bytes] = encore.channel.unary_unary(
        "/encore.v1.RecommenderService/Score"
    )
    error = refused("INVALID_ARGUMENT", lambda: score(b"\xff\xff\xff"))
    assert list(bad_fields(error)) == [""]


def test_a_message_beyond_the_limit_is_refused(encore: RunningServer) -> None:
    ask = pb.GenreNeighborRequest(domain="music", audio=b"x" * 25 * 1024 * 1024)
    refused("RESOURCE_EXHAUSTED", lambda: encore.api.GenreNeighbor(ask))


def test_what_a_user_took_is_in_the_next_score() -> None:
    with running_server() as encore:
        event = pb.FeedbackEvent(
            event_id="e1", user_id="ann", object_id="t20", outcome=common_pb.OUTCOME_PLAY
        )
        encore.api.Feedback(pb.FeedbackRequest(domain="music", events=[event]))
        ask = pb.ScoreRequest(
            domain="music", user=common_pb.User(id="ann"), object_ids=["t20", "t21"]
        )
        assert list(encore.api.Score(ask).probabilities) == [TAKEN_BEFORE, 0.38]
