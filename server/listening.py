"""Opens ports: a gRPC server with its services, probes and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from core.errors import EncoreError
from server.settings import Settings


class PortTakenError(EncoreError):
    """The server cannot listen where it was told to."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}, another process may: set {setting} to a free port"
        )


def listen(
    settings: Settings,
    host: str,
    port: int,
    setting: str,
    *,
    services: Sequence[str],
    register: Callable[[aio.Server], None],
    health: health_aio.HealthServicer,
    interceptor: aio.ServerInterceptor,
) -> tuple[aio.Server, int]:
    """A gRPC server, not started, and the port it is bound to.

    Args:
        settings: limits and keepalive.
        host: address.
        port: 0 lets the system choose.
        setting: environment variable that sets the port, for the message when it is taken.
        services: full names, for reflection.
        register: adds the servicers.
        health: answers grpc.health.v1.
        interceptor: the chain around every call.
    """
    server = aio.server(interceptors=(interceptor,), options=_options(settings))
    register(server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable_server_reflection((*services, health_name, reflection.SERVICE_NAME), server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise PortTakenError(host, port, setting) from error
    return server, bound


def _options(settings: Settings) -> tuple[tuple[str, int], ...]:
    return (
        # On by default: a second server would silently take half of the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_receive_bytes),
        ("grpc.keepalive_time_ms", _ms(settings.keepalive_time_s)),
        ("grpc.keepalive_timeout_ms", _ms(settings.keepalive_timeout_s)),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(settings.min_client_ping_s)),
        ("grpc.keepalive_permit_without_calls", 1),
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
