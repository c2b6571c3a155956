"""What machines ask a server: health, reflection, metrics, logs."""

from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.testing import Parts, RunningServer, refused, running_server

API = "encore.v1.RecommenderService"
ADMIN = "encore.v1.AdminService"


@pytest.mark.parametrize("service", ["", API, ADMIN])
@pytest.mark.parametrize("admin", [True, False])
def test_the_server_and_each_service_are_healthy(
    encore: RunningServer, service: str, admin: bool
) -> None:
    assert encore.health(service, admin=admin) == "SERVING"


def test_the_health_of_what_does_not_exist_is_not_found(encore: RunningServer) -> None:
    refused("NOT_FOUND", lambda: encore.health("encore.v1.Nothing"))


def test_each_port_reflects_its_own_service(encore: RunningServer) -> None:
    public = ProtoReflectionDescriptorDatabase(encore.channel)
    operators = ProtoReflectionDescriptorDatabase(encore.admin_channel)
    assert API in public.get_services()
    assert ADMIN not in public.get_services()
    assert ADMIN in operators.get_services()


def test_watchers_of_health_see_the_drain() -> None:
    with running_server(Parts()) as encore:
        watch = health_pb2_grpc.HealthStub(encore.channel).Watch(
            health_pb2.HealthCheckRequest(service=API)
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        stopping = encore.stop_soon()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        stopping.result()


def test_every_call_is_logged_with_how_it_ended(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"], request_id="logged-1")
    encore.api.Score(ask)
    line = encore.parts.log.wait_for("call", request_id="logged-1")
    assert line["method"] == f"/{API}/Score"
    assert (line["code"], line["domain"], line["level"]) == ("OK", "music", "info")
    assert isinstance(line["ms"], float)


def test_the_log_says_nothing_of_the_user(encore: RunningServer) -> None:
    user = common_pb.User(id="ann-the-listener", attributes={"city": "atlantis"})
    ask = pb.ScoreRequest(domain="music", object_ids=["t00"], user=user, request_id="logged-2")
    encore.api.Score(ask)
    encore.parts.log.wait_for("call", request_id="logged-2")
    assert "ann-the-listener" not in encore.parts.log.getvalue()
    assert "atlantis" not in encore.parts.log.getvalue()


def test_a_domain_cannot_break_or_flood_the_log(encore: RunningServer) -> None:
    ask = pb.ScoreRequest(domain='"}\n{' + "x" * 100_000, object_ids=["t00"], request_id="logged-3")
    refused("INVALID_ARGUMENT", lambda: encore.api.Score(ask))
    line = encore.parts.log.wait_for("call", request_id="logged-3")
    assert str(line["domain"]).startswith('"}\n{xxx')
    assert len(str(line["domain"])) <= 64


def test_models_and_scored_objects_are_counted() -> None:
    with running_server() as encore:
        encore.api.Score(pb.ScoreRequest(domain="music", object_ids=["t00", "t01"]))
        encore.api.Recommend(pb.RecommendRequest(domain="music"))
        labels = {"domain": "music", "model_version": "v1"}
        assert encore.metric("encore_scored_objects_total", **labels) == 2
        assert encore.metric("encore_model_info", **labels) == 1
        assert encore.metric("encore_recommend_fallbacks_total", domain="music") == 1
        assert encore.metric("encore_stage_seconds_count", stage="score") == 1
        assert encore.metric("encore_stage_seconds_count", stage="queue_write") == 1
        assert encore.metric("encore_executor_queue_depth", executor="scoring") == 0
