"""From start to stop: bind, warm up, catch up, serve; then NOT_SERVING, wait, stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from grpc import aio
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2 import HealthCheckResponse
from prometheus_client import start_http_server

from core.errors import UnknownDomainError
from core.requests import Engine
from encore.v1 import admin_service_pb2, recommender_service_pb2
from server.background import Periodic
from server.deadline import NO_DEADLINE
from server.executors import BoundedExecutor
from server.listening import PortTakenError, listen
from server.logs import Log
from server.media import MediaProvider
from server.metrics import Metrics
from server.ports import QueueStore
from server.regeneration import Regeneration
from server.serving import Capabilities, Serving
from server.settings import Settings
from server.tail import FeedbackTail
from server.warmup import warm_up

RECOMMENDER = recommender_service_pb2.DESCRIPTOR.services_by_name["RecommenderService"].full_name
ADMIN = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name
WHOLE_SERVER = ""
HEALTH_NAMES = (WHOLE_SERVER, RECOMMENDER, ADMIN)
Register = Callable[[aio.Server], None]


@dataclass(frozen=True)
class Ports:
    """The ports that were bound."""

    api: int
    admin: int
    metrics: int


OnServing = Callable[[Ports], Awaitable[None]]


class EncoreServer:
    """One server process: start once, stop once, both in the same event loop."""

    def __init__(
        self,
        settings: Settings,
        serving: Serving,
        tails: Mapping[str, FeedbackTail],
        queues: QueueStore,
        regeneration: Regeneration,
        scoring: BoundedExecutor,
        listening: BoundedExecutor,
        database: BoundedExecutor,
        media: MediaProvider,
        metrics: Metrics,
        log: Log,
        chain: Callable[[], aio.ServerInterceptor],
        register_recommender: Register,
        register_admin: Register,
    ) -> None:
        self._settings = settings
        self._serving = serving
        self._tails = tails
        self._queues = queues
        self._regeneration = regeneration
        self._scoring = scoring
        self._listening = listening
        self._database = database
        self._media = media
        self._log = log
        self._chain = chain
        self._register_recommender = register_recommender
        self._register_admin = register_admin
        self._health = health_aio.HealthServicer()
        self._grpc: list[aio.Server] = []
        self._stopped = False
        self._opened = AsyncExitStack()
        self.metrics = metrics

    @property
    def waiting_for_scoring(self) -> int:
        """How many calls wait for a scoring thread."""
        return self._scoring.waiting

    async def start(self) -> Ports:
        """Listen, warm up, catch up with the feedback log, then say SERVING.

        Calls that come before SERVING are answered UNAVAILABLE. A start that fails closes what it
        had opened.

        Raises:
            PortTakenError: a port is in use.
        """
        try:
            ports = await self._listen()
            self._log.info("listening", **vars(ports))
            for engine in self._serving.engines():
                offered = self._serving.capabilities(engine.domain)
                await asyncio.to_thread(warm_up, engine, offered, self._log)
            await self._catch_up()
            self._serving.ready = True
            await self._say(HealthCheckResponse.SERVING)
            await self._begin_rounds()
        except BaseException:
            await self._opened.aclose()
            raise
        models = {engine.domain: engine.model_version for engine in self._serving.engines()}
        self._log.info("serving", models=models, **vars(ports))
        return ports

    async def swap(self, engine: Engine, capabilities: Capabilities) -> None:
        """Put a new engine of a served domain in service, warm and caught up, between two calls.

        The old one serves until then, and for good when this raises. Calls under way end on the
        engine they began with.

        Raises:
            UnknownDomainError: the server was built without this domain.
        """
        tail = self._tails.get(engine.domain)
        if tail is None:
            raise UnknownDomainError(engine.domain, sorted(self._tails))
        await asyncio.to_thread(warm_up, engine, capabilities, self._log)
        put = partial(self._serving.replace, engine, capabilities)
        await self._database.run("swap", NO_DEADLINE, lambda: tail.hand_over(engine, put))
        self._log.info("swapped", domain=engine.domain, model_version=engine.model_version)

    async def stop(self) -> None:
        """Say NOT_SERVING, wait for load balancers, let calls in flight finish, close.

        Stopping again does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        self._log.info("draining", grace_s=self._settings.drain_grace_s)
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._settings.drain_delay_s)
        await asyncio.gather(*(server.stop(self._settings.drain_grace_s) for server in self._grpc))
        await self._opened.aclose()
        self._log.info("stopped")

    async def _listen(self) -> Ports:
        """Open the three ports; whatever is opened is closed in the opposite order."""
        self._opened.push_async_callback(self._scoring.close)
        self._opened.push_async_callback(self._listening.close)
        self._opened.push_async_callback(self._database.close)
        self._opened.push_async_callback(self._regeneration.close)
        self._opened.push_async_callback(self._media.close)
        await self._say(HealthCheckResponse.NOT_SERVING)
        settings = self._settings
        metrics_port = self._serve_metrics()
        api, api_port = listen(
            settings,
            settings.host,
            settings.port,
            "ENCORE_PORT",
            services=(RECOMMENDER,),
            register=self._register_recommender,
            health=self._health,
            interceptor=self._chain(),
        )
        admin, admin_port = listen(
            settings,
            settings.admin_host,
            settings.admin_port,
            "ENCORE_ADMIN_PORT",
            services=(ADMIN,),
            register=self._register_admin,
            health=self._health,
            interceptor=self._chain(),
        )
        for server in (api, admin):
            await server.start()
            self._opened.push_async_callback(server.stop, None)
            self._grpc.append(server)
        return Ports(api_port, admin_port, metrics_port)

    def _serve_metrics(self) -> int:
        settings = self._settings
        try:
            server, thread = start_http_server(
                settings.metrics_port, settings.metrics_host, self.metrics.registry
            )
        except OSError as error:
            raise PortTakenError(
                settings.metrics_host, settings.metrics_port, "ENCORE_METRICS_PORT"
            ) from error

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._opened.push_async_callback(asyncio.to_thread, close)
        return server.server_port

    async def _begin_rounds(self) -> None:
        rounds = (
            Periodic("feedback tail", self._settings.tail_poll_s, self._catch_up, self._log),
            Periodic("queue sweep", self._settings.sweep_s, self._sweep, self._log),
        )
        for periodic in rounds:
            periodic.start()
            self._opened.push_async_callback(periodic.stop)

    async def _catch_up(self) -> None:
        for tail in self._tails.values():
            await self._database.run("catch_up", NO_DEADLINE, tail.catch_up)

    async def _sweep(self) -> None:
        oldest_s = self._serving.wall_s() - self._settings.queue_ttl_s
        await self._database.run("sweep", NO_DEADLINE, lambda: self._queues.drop_before(oldest_s))

    async def _say(self, status: HealthCheckResponse.ServingStatus) -> None:
        for name in HEALTH_NAMES:
            await self._health.set(name, status)


async def run_until_signal(server: EncoreServer, serving: OnServing | None = None) -> None:
    """Start, serve until SIGTERM or SIGINT, drain. A signal during the start ends it at once.

    `serving` is awaited once calls are answered; a signal does not interrupt it.
    """
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled.set)
    leaving = asyncio.create_task(signalled.wait())
    starting = asyncio.create_task(server.start())
    await asyncio.wait((starting, leaving), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    try:
        ports = await starting
        try:
            if serving is not None:
                await serving(ports)
            await leaving
        except BaseException:
            await server.stop()
            raise
    finally:
        leaving.cancel()
    await server.stop()
