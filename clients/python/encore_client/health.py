"""The health check of gRPC, without the package that carries its messages."""

from __future__ import annotations

import grpc
from google.protobuf import wrappers_pb2

from encore_client.errors import EncoreClientError

PATH = "/grpc.health.v1.Health/Check"
_SERVING = 1

# HealthCheckRequest is one string in field 1, HealthCheckResponse one enum in field 1: on the wire
# exactly these wrappers. Declaring the messages here would clash, in a process that has
# grpcio-health-checking too, with its own.
encode = wrappers_pb2.StringValue.SerializeToString
decode = wrappers_pb2.Int32Value.FromString

_DOWN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        # The service has never been registered.
        grpc.StatusCode.NOT_FOUND,
    }
)


def check_request(service: str) -> wrappers_pb2.StringValue:
    """Returns the request for one service; empty asks for the whole server."""
    return wrappers_pb2.StringValue(value=service)


def serves(answer: wrappers_pb2.Int32Value) -> bool:
    """Whether the answer says SERVING."""
    return answer.value == _SERVING


def means_down(error: EncoreClientError) -> bool:
    """Whether a failed check is an answer, rather than a mistake such as a wrong token."""
    return error.code in _DOWN
