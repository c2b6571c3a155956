"""A real Encore that a test can stop and start on one port, and a story backend before it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from encore_client import NO_RETRIES, ClientOptions, EncoreClient
from encore_stories import Settings, create_app
from server.store import open_store
from server.testing import PATIENCE_S, ManualClock, RunningServer, in_loop
from server.testing.bundles import TinyBundle, serving_bundles

DAY_S = 86_400.0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Encore:
    """A server over one database that comes and goes."""

    bundle: TinyBundle
    database_url: str
    clock: ManualClock
    port: int = field(default_factory=free_port)
    _up: AbstractContextManager[RunningServer] | None = None

    def start(self) -> None:
        self._up = serving_bundles(
            self.bundle.root, self.database_url, self.clock, domains=("music",), port=self.port
        )
        self._up.__enter__()

    def stop(self) -> None:
        if self._up is not None:
            self._up.__exit__(None, None, None)
            self._up = None

    def client(self) -> EncoreClient:
        options = ClientOptions(retry=NO_RETRIES)
        return EncoreClient(f"127.0.0.1:{self.port}", domain="music", options=options)

    def stored(self) -> list[tuple[str, str, str]]:
        """(user, object, outcome) of the whole feedback log, in its order."""
        with open_store(self.database_url) as store:
            rows = store.feedback.read_after("music", 0, 10_000)
        return [(row.user_id, row.object_id, row.outcome.value) for row in rows]


@dataclass
class Backend:
    """A story backend and an HTTP client of it."""

    app: Starlette
    http: httpx.AsyncClient
    clock: ManualClock
    """Of its caches and its breaker."""

    def get(self, path: str, **params: Any) -> httpx.Response:  # noqa: ANN401 - whatever HTTP takes
        return in_loop(self.http.get(path, params=params))

    def soundtrack(self, story: str, user: str = "ann", **params: object) -> dict[str, Any]:
        answer = self.get(f"/stories/{story}/soundtrack", user=user, **params)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def tell(self, story: str, **body: object) -> httpx.Response:
        return in_loop(self.http.post(f"/stories/{story}/feedback", json=body))

    def health(self) -> dict[str, Any]:
        content: dict[str, Any] = self.get("/health").json()
        return content

    def deliver(self) -> bool:
        """Try now what the rounds would try later."""
        delivered: bool = in_loop(self.app.state.backend.delivery.deliver())
        return delivered

    def deliver_at_last(self) -> None:
        """Let the breaker try again and again, until the connection is there and nothing waits."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            self.clock.now_s += 6
            if self.deliver():
                return
            time.sleep(0.05)
        raise TimeoutError("feedback was never delivered")


@pytest.fixture
def encore(tiny_music: TinyBundle, tmp_path: Path) -> Iterator[Encore]:
    url = f"sqlite:///{tmp_path}/encore.sqlite3"
    running = Encore(tiny_music, url, ManualClock(tiny_music.end_s + DAY_S))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def settings(encore: Encore, tmp_path: Path) -> Settings:
    """Patient with a slow machine; delivers only when told to."""
    return Settings(
        encore=f"127.0.0.1:{encore.port}",
        outbox=tmp_path / "outbox.sqlite3",
        outbox_events=3,
        fallback_tracks=("free-1", "free-2", "free-3"),
        runners_up=2,
        timeout_s=30.0,
        failures_to_open=2,
        open_s=5.0,
        deliver_s=3_600.0,
    )


@contextmanager
def running_backend(settings: Settings, wall_clock: Callable[[], float]) -> Iterator[Backend]:
    """A backend in the loop of the tests."""
    clock = ManualClock(0.0)
    app = create_app(settings, wall_clock=wall_clock, clock=clock)
    lifespan = app.router.lifespan_context(app)
    in_loop(lifespan.__aenter__())
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://stories", timeout=60.0
    )
    try:
        yield Backend(app, http, clock)
    finally:
        in_loop(http.aclose())
        in_loop(lifespan.__aexit__(None, None, None))


@pytest.fixture
def backend(encore: Encore, settings: Settings) -> Iterator[Backend]:
    with running_backend(settings, encore.clock) as running:
        yield running
