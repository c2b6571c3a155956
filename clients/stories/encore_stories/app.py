"""The HTTP face of the story backend."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from encore_client import (
    AsyncEncoreClient,
    ClientOptions,
    ConnectionOptions,
    FeedbackEvent,
    InvalidRequestError,
    Outcome,
    RecommendedItem,
    RetryPolicy,
)
from encore_stories.asks import MAX_BODY_BYTES, RefusedError, read_ask, read_told
from encore_stories.breaker import CircuitBreaker
from encore_stories.delivery import Delivery
from encore_stories.outbox import Outbox, OutboxFullError
from encore_stories.settings import Settings
from encore_stories.soundtracks import Soundtracks

Clock = Callable[[], float]
UNAVAILABLE = "preview unavailable"


class Backend:
    """What the routes share: made when the app starts, in its event loop."""

    def __init__(
        self, settings: Settings, wall_clock: Clock = time.time, clock: Clock = time.monotonic
    ) -> None:
        """Args: settings, epoch seconds for feedback, and seconds that never go back."""
        options = ClientOptions(
            # One quick second try: a restarted server is met by it, a dead one costs no more.
            retry=RetryPolicy(attempts=2, first_wait_s=0.05),
            # The breaker spares a dead server already.
            connection=ConnectionOptions(longest_reconnect_wait_s=1.0),
        )
        self.encore = AsyncEncoreClient(settings.encore, domain=settings.domain, options=options)
        self.breaker = CircuitBreaker(settings.failures_to_open, settings.open_s, clock)
        self.soundtracks = Soundtracks(self.encore, self.breaker, settings, clock)
        self.outbox = Outbox(settings.outbox, settings.outbox_events)
        self.delivery = Delivery(self.outbox, self.encore, self.breaker, settings.deliver_s)
        self._wall_clock = wall_clock

    async def soundtrack(self, request: Request) -> Response:
        """GET /stories/{story_id}/soundtrack?user=...&tags=...&max_seconds=..."""
        ask = read_ask(request.path_params["story_id"], request.query_params.multi_items())
        found = await self.soundtracks.find(ask)
        tracks = [_track(item) for item in found.items]
        return JSONResponse(
            {
                "story_id": ask.story_id,
                "source": found.source,
                "pick": tracks[0] if tracks else None,
                "runners_up": tracks[1:],
                "recommendation_id": found.recommendation_id,
                "model_version": found.model_version,
            }
        )

    async def feedback(self, request: Request) -> Response:
        """POST /stories/{story_id}/feedback; durable before it is answered."""
        told = read_told(request.path_params["story_id"], await _body(request))
        recommendation_id = told.recommendation_id or self.soundtracks.recommendation_id(
            told.story_id, told.user_id, told.object_id
        )
        event = FeedbackEvent(
            told.user_id,
            told.object_id,
            told.outcome,
            event_id=told.event_id_for(recommendation_id),
            occurred_at=datetime.fromtimestamp(self._wall_clock(), UTC),
            recommendation_id=recommendation_id,
        )
        fate = await self.delivery.accept(event)
        if told.outcome is Outcome.SKIP:
            self.soundtracks.skip(told.story_id, told.user_id, told.object_id)
        return JSONResponse({"event_id": event.event_id, "status": fate}, status_code=202)

    async def health(self, request: Request) -> Response:
        """GET /health: this backend answers whatever Encore does."""
        del request
        circuit = self.breaker.circuit
        return JSONResponse({"status": "ok", "encore": circuit, "waiting": len(self.outbox)})

    async def close(self) -> None:
        """Stop delivering and close everything."""
        await self.delivery.stop()
        await self.encore.close()
        self.outbox.close()


def create_app(
    settings: Settings, wall_clock: Clock = time.time, clock: Clock = time.monotonic
) -> Starlette:
    """The application; everything opens when it starts and closes when it stops.

    Args:
        settings: where Encore is, what is kept.
        wall_clock: epoch seconds, of feedback.
        clock: seconds that never go back, of caches and the breaker.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        backend = Backend(settings, wall_clock, clock)
        app.state.backend = backend
        backend.delivery.start()
        try:
            yield
        finally:
            await backend.close()

    return Starlette(
        routes=[
            Route("/stories/{story_id}/soundtrack", _soundtrack, methods=["GET"]),
            Route("/stories/{story_id}/feedback", _feedback, methods=["POST"]),
            Route("/health", _health, methods=["GET"]),
        ],
        exception_handlers={
            RefusedError: _refused,
            InvalidRequestError: _refused_by_encore,
            OutboxFullError: _full,
            ClientDisconnect: _gone,
        },
        lifespan=lifespan,
    )


async def _soundtrack(request: Request) -> Response:
    return await _backend(request).soundtrack(request)


async def _feedback(request: Request) -> Response:
    return await _backend(request).feedback(request)


async def _health(request: Request) -> Response:
    return await _backend(request).health(request)


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError({"body": f"must have at most {MAX_BODY_BYTES} bytes"})
    return bytes(body)


def _track(item: RecommendedItem) -> dict[str, object]:
    media = item.media
    return {
        "track_id": item.object_id,
        "rank": item.rank,
        "probability": item.probability,
        "preview": None if item.preview is None else asdict(item.preview),
        "title": "" if media is None else media.title,
        "cover_url": "" if media is None else media.cover_url,
        "preview_url": "" if media is None else media.preview_url,
        "note": UNAVAILABLE if media is None else media.note,
    }


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse({"problems": error.problems}, status_code=400)


async def _refused_by_encore(_: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidRequestError)
    problems = {violation.field: violation.description for violation in error.violations}
    return JSONResponse({"problems": problems}, status_code=400)


async def _full(_: Request, error: Exception) -> Response:
    headers = {"Retry-After": "5"}
    return JSONResponse({"problems": {"outbox": str(error)}}, status_code=503, headers=headers)


async def _gone(_: Request, error: Exception) -> Response:
    del error
    return Response(status_code=400)  # to nobody
