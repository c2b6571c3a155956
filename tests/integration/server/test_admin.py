"""AdminService: for operators, on a port of its own."""

from __future__ import annotations

import math

import pytest

from encore.v1 import admin_service_pb2 as admin_pb
from encore.v1 import common_pb2 as common_pb
from encore.v1.admin_service_pb2_grpc import AdminServiceStub
from server.testing import RunningServer, bad_fields, refused


def test_the_models_in_service_are_listed(encore: RunningServer) -> None:
    (model,) = encore.admin.ListServing(admin_pb.ListServingRequest()).models
    assert (model.domain, model.model_version, model.watermark) == ("music", "v1", 0)


def test_features_come_row_after_row(encore: RunningServer) -> None:
    reply = encore.admin.DebugFeatures(
        admin_pb.DebugFeaturesRequest(
            domain="music",
            user=common_pb.User(id="ann", attributes={"age": "30"}),
            object_ids=["t00", "t01"],
            context={"source_tab": "home"},
        )
    )
    assert list(reply.number_columns) == ["times_taken", "age"]
    assert list(reply.numbers) == [0.0, 30.0, 0.0, 30.0]
    assert (list(reply.code_columns), list(reply.codes)) == (["source_tab"], [1, 1])
    assert reply.model_version == "v1"


def test_unknown_features_are_not_a_number(encore: RunningServer) -> None:
    ask = admin_pb.DebugFeaturesRequest(domain="music", object_ids=["t00"])
    assert math.isnan(encore.admin.DebugFeatures(ask).numbers[1])


@pytest.mark.parametrize("count", [0, 1001])
def test_features_of_one_to_a_thousand_objects_can_be_asked(
    encore: RunningServer, count: int
) -> None:
    ask = admin_pb.DebugFeaturesRequest(domain="music", object_ids=["t"] * count)
    error = refused("INVALID_ARGUMENT", lambda: encore.admin.DebugFeatures(ask))
    assert list(bad_fields(error)) == ["object_ids"]


def test_the_public_port_does_not_know_the_operators_service(encore: RunningServer) -> None:
    intruder = AdminServiceStub(encore.channel)
    refused("UNIMPLEMENTED", lambda: intruder.ListServing(admin_pb.ListServingRequest()))
