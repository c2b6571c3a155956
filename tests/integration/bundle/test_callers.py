"""Callers side by side, blocking and asyncio: what they read, what is stored, what is counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.state.events import Event
from encore_client import (
    AdminClient,
    AsyncEncoreClient,
    EncoreClient,
    FeedbackEvent,
    InvalidRequestError,
    Outcome,
)
from server.store import open_store
from server.testing import ManualClock, RunningServer
from server.testing.bundles import TinyBundle, serving_bundles


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/encore.sqlite3"


@pytest.fixture
def alone(tiny_music: TinyBundle, url: str) -> Iterator[RunningServer]:
    """A server with a database that no other test has written to."""
    clock = ManualClock(tiny_music.end_s + 3600.0)
    with serving_bundles(tiny_music.root, url, clock, domains=("music",)) as running:
        yield running


def target(encore: RunningServer) -> str:
    return f"127.0.0.1:{encore.ports.api}"


def test_a_listeners_evening_through_the_asyncio_client(
    alone: RunningServer, tiny_music: TinyBundle
) -> None:
    async def evening() -> tuple[list[str], list[str], float, float]:
        async with AsyncEncoreClient(target(alone), domain="music") as client:
            assert await client.is_serving()
            before = (await client.score("eve", [tiny_music.objects[0]])).probabilities[0]
            first = await client.recommend("eve", page_size=5)
            shown = [item.object_id for item in first.items]
            await asyncio.gather(
                client.like("eve", shown[0], recommendation_id=first.recommendation_id),
                client.dislike("eve", shown[1], recommendation_id=first.recommendation_id),
                client.play("eve", shown[2], recommendation_id=first.recommendation_id),
            )
            pages = [page async for page in client.recommend_pages("eve", page_size=40)]
            offered = [item.object_id for page in pages for item in page.items]
            with pytest.raises(InvalidRequestError) as refusal:
                await client.score("eve", ["x"], context={"weather": "rain"})
            assert [v.field for v in refusal.value.violations] == ['context["weather"]']
            after = (await client.score("eve", [tiny_music.objects[0]])).probabilities[0]
            return shown, offered, before, after

    shown, offered, before, after = asyncio.run(evening())
    assert len(set(offered)) == len(offered)
    assert not {shown[1], shown[2]} & set(offered)
    assert before != after


def test_callers_at_once_read_their_own_writes_and_leave_the_state_of_the_log(
    alone: RunningServer, tiny_music: TinyBundle, url: str
) -> None:
    """Threads that write, score and page at the same time; the log's order is the state's."""
    callers, rounds = 6, 12

    def call(number: int) -> int:
        rng, mine = np.random.default_rng(number), f"caller {number}"
        accepted = 0
        with EncoreClient(target(alone), domain="music") as client:
            for _ in range(rounds):
                page = client.recommend(mine, page_size=30)
                offered = [item.object_id for item in page.items]
                disliked, played = rng.choice(offered, 2, replace=False)
                shared = str(rng.choice(tiny_music.objects[:20]))
                events = [
                    FeedbackEvent(mine, disliked, Outcome.DISLIKE),
                    FeedbackEvent(mine, played, Outcome.PLAY),
                    FeedbackEvent("everybody", shared, Outcome.PLAY),
                ]
                accepted += client.feedback(events).accepted
                accepted += client.feedback(events).accepted  # a retry: nothing new
                later = client.recommend_pages(mine, page_size=50)
                assert not {disliked, played} & {i.object_id for p in later for i in p.items}
                scored = client.score(mine, tiny_music.objects[:40])
                assert np.isfinite(scored.probabilities).all()
        return accepted

    with ThreadPoolExecutor(callers) as pool:
        accepted = list(pool.map(call, range(callers)))
    assert accepted == [3 * rounds] * callers

    with open_store(url) as store:
        rows = store.feedback.read_after("music", 0, 10_000)
    assert len(rows) == sum(accepted)
    state = tiny_music.state()
    for row in rows:
        state.update(Event(row.user_id, row.object_id, row.outcome, row.log_time_s, row.context))
    now_s = tiny_music.end_s + 3600.0
    state.advance(now_s)
    objects = tiny_music.objects[:60]
    known = np.array([state.objects.get(i) for i in objects], np.int32)
    with AdminClient(f"127.0.0.1:{alone.ports.admin}") as admin:
        assert [m.watermark for m in admin.list_serving()] == [rows[-1].sequence]
        for user in ("caller 0", f"caller {callers - 1}", "everybody", tiny_music.users[0]):
            shown = admin.debug_features("music", user, objects)
            expected = state.features(state.users.get(user), known, {}, now_s, tiny_music.columns())
            numbers = np.array(shown.numbers, np.float32)
            assert numbers.tobytes() == expected.numbers.tobytes()
            assert np.array(shown.codes, np.int32).tobytes() == expected.codes.tobytes()


def test_metrics_show_every_started_call_as_handled_once(
    alone: RunningServer, tiny_music: TinyBundle
) -> None:
    with EncoreClient(target(alone), domain="music") as client:
        client.score("ann", tiny_music.objects[:7])
        list(client.recommend_pages("ann", page_size=40))
        client.like("ann", tiny_music.objects[0])
        client.genre_neighbor(track_id="km_hustle")
        for wrong in ("no such pool", "another"):
            with pytest.raises(InvalidRequestError):
                client.recommend("ann", pool=wrong)
    told = alone.metrics()

    def by_method(name: str) -> Counter[str]:
        calls: Counter[str] = Counter()
        for (sample, labels), value in told.items():
            if sample == name:
                calls[dict(labels)["grpc_method"]] += int(value)
        return calls

    started, handled = (
        by_method("grpc_server_started_total"),
        by_method("grpc_server_handled_total"),
    )
    assert started == handled
    assert {"Score", "Recommend", "GenreNeighbor", "Feedback"} <= set(started)
    assert started["Recommend"] == 5
    refused = alone.metric(
        "grpc_server_handled_total", grpc_method="Recommend", grpc_code="InvalidArgument"
    )
    assert refused == 2
    assert by_method("grpc_server_handling_seconds_count") == started
