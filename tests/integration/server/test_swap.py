"""A new model takes over while the server runs: nothing is lost, nobody waits."""

from __future__ import annotations

import pytest

from core.errors import UnknownDomainError
from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.serving import Capabilities
from server.testing import TAKEN_BEFORE, FakeEngine, Gate, RunningServer, in_loop, running_server

SCORE = pb.ScoreRequest(domain="music", user=common_pb.User(id="ann"), object_ids=["t20"])
PLAYED = pb.FeedbackEvent(
    event_id="e1", user_id="ann", object_id="t20", outcome=common_pb.OUTCOME_PLAY
)


def swap(encore: RunningServer, engine: FakeEngine) -> None:
    in_loop(encore.server.swap(engine, Capabilities()))


def test_the_next_call_is_answered_by_the_new_model_which_knows_all_feedback() -> None:
    with running_server() as encore:
        encore.api.Feedback(pb.FeedbackRequest(domain="music", events=[PLAYED]))
        swap(encore, FakeEngine(model_version="v2"))
        reply = encore.api.Score(SCORE)
        assert (reply.model_version, list(reply.probabilities)) == ("v2", [TAKEN_BEFORE])
        assert encore.metric("encore_model_info", model_version="v2") == 1
        assert encore.metric("encore_model_info", model_version="v1") == 0


def test_feedback_after_the_swap_goes_to_the_new_model() -> None:
    with running_server() as encore:
        swap(encore, FakeEngine(model_version="v2"))
        encore.api.Feedback(pb.FeedbackRequest(domain="music", events=[PLAYED]))
        assert list(encore.api.Score(SCORE).probabilities) == [TAKEN_BEFORE]


def test_a_call_under_way_ends_on_the_model_it_began_with() -> None:
    with running_server() as encore:
        gate = encore.parts.engine.gate = Gate()
        held = encore.api.Score.future(SCORE)
        gate.wait_until_entered()
        swap(encore, FakeEngine(model_version="v2"))
        assert encore.api.Score(SCORE).model_version == "v2"
        gate.open()
        assert held.result().model_version == "v1"


def test_pages_of_a_queue_tell_the_model_that_ranked_them() -> None:
    with running_server() as encore:
        ask = pb.RecommendRequest(domain="music", page_size=4)
        first = encore.api.Recommend(ask)
        swap(encore, FakeEngine(model_version="v2"))
        ask.page_token = first.next_page_token
        assert encore.api.Recommend(ask).model_version == "v1"


def test_a_model_that_cannot_serve_does_not_take_over() -> None:
    broken = FakeEngine(model_version="v2")
    broken.failure = RuntimeError("broken bundle")
    with running_server() as encore:
        with pytest.raises(RuntimeError, match="broken bundle"):
            swap(encore, broken)
        assert encore.api.Score(SCORE).model_version == "v1"


def test_a_domain_that_is_not_served_cannot_be_swapped_in() -> None:
    with running_server() as encore, pytest.raises(UnknownDomainError, match="opera"):
        swap(encore, FakeEngine("opera"))
