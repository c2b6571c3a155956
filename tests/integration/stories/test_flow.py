"""Soundtracks of stories through the whole chain, with Encore coming and going."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from encore_client import FeedbackEvent, Outcome
from encore_stories import Settings
from server.testing import PATIENCE_S, in_loop
from server.testing.bundles import TinyBundle
from tests.integration.stories.conftest import Backend, Encore, free_port, running_backend

WaitUntil = Callable[[Callable[[dict[str, Any]], bool]], None]
"""Returns once the backend's health is as it should be."""


def tracks(found: dict[str, Any]) -> list[str]:
    return [track["track_id"] for track in (found["pick"], *found["runners_up"]) if track]


def test_a_story_gets_a_royalty_free_pick_with_runners_up_and_a_window(
    backend: Backend, tiny_music: TinyBundle
) -> None:
    found = backend.soundtrack("s1", tags="happy,rock", max_seconds=10)
    assert found["source"] == "encore"
    assert found["recommendation_id"]
    assert found["model_version"] == "v1"
    assert len(found["runners_up"]) == 2
    assert set(tracks(found)) <= tiny_music.log.pools["royalty_free"]
    for track in (found["pick"], *found["runners_up"]):
        assert 0 < track["preview"]["length_ms"] <= 10_000
        assert track["note"] == "preview unavailable"


def test_the_second_look_at_a_story_is_served_from_the_cache(backend: Backend) -> None:
    first = backend.soundtrack("s1")
    again = backend.soundtrack("s1")
    assert again["source"] == "cache"
    assert {**again, "source": "encore"} == first
    assert backend.soundtrack("s1", user="bob")["source"] == "encore"
    assert backend.soundtrack("s1", tags="rock")["source"] == "encore"
    backend.clock.now_s += 301
    assert backend.soundtrack("s1")["source"] == "encore"


def test_what_a_user_likes_reaches_encore_with_the_recommendation_that_led_to_it(
    backend: Backend, encore: Encore
) -> None:
    pick = backend.soundtrack("s1")["pick"]["track_id"]
    answer = backend.tell("s1", user="ann", track_id=pick, action="like")
    assert answer.status_code == 202
    assert answer.json()["status"] == "delivered"
    again = backend.tell("s1", user="ann", track_id=pick, action="like")
    assert again.json() == answer.json()
    assert encore.stored() == [("ann", pick, "like")]


def test_a_skipped_track_is_replaced_at_once_and_stays_away_from_the_story(
    backend: Backend, encore: Encore
) -> None:
    first, second, third = tracks(backend.soundtrack("s1"))
    backend.tell("s1", user="ann", track_id=first, action="skip")
    assert tracks(backend.soundtrack("s1")) == [second, third]
    assert tracks(backend.soundtrack("s1", user="bob"))
    backend.clock.now_s += 301
    anew = backend.soundtrack("s1")
    assert anew["source"] == "encore"
    assert first not in tracks(anew)
    assert len(tracks(anew)) == 3
    assert encore.stored() == [("ann", first, "skip")]


def test_the_flow_survives_encore(backend: Backend, encore: Encore) -> None:
    known = backend.soundtrack("s1")
    pick = known["pick"]["track_id"]
    encore.stop()

    # A story that is remembered keeps its soundtrack, also when it is no longer fresh.
    backend.clock.now_s += 301
    kept = backend.soundtrack("s1")
    assert (kept["source"], tracks(kept)) == ("cache", tracks(known))
    # A new story gets one of the configured tracks, and says so.
    fallback = backend.soundtrack("s2")
    assert fallback["source"] == "fallback"
    assert sorted(tracks(fallback)) == ["free-1", "free-2", "free-3"]
    assert fallback["recommendation_id"] == ""
    assert tracks(backend.soundtrack("s2")) == tracks(fallback)

    # What users do is kept on disk, in order, each once.
    told = [
        {"user": "ann", "track_id": pick, "action": "like"},
        {"user": "bob", "track_id": tracks(fallback)[0], "action": "skip"},
        {"user": "ann", "track_id": pick, "action": "like"},
    ]
    for body in told:
        answer = backend.tell("s1", **body)
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert backend.health() == {"status": "ok", "encore": "open", "waiting": 2}
    # The outbox is bounded: what does not fit is refused, never dropped in silence.
    assert backend.tell("s1", user="cid", track_id="t1", action="like").status_code == 202
    full = backend.tell("s1", user="dan", track_id="t1", action="like")
    assert full.status_code == 503
    assert full.headers["retry-after"]

    encore.start()
    assert not backend.deliver()  # the breaker is open still
    backend.deliver_at_last()
    expected = [
        ("ann", pick, "like"),
        ("bob", tracks(fallback)[0], "skip"),
        ("cid", "t1", "like"),
    ]
    assert encore.stored() == expected
    assert backend.health() == {"status": "ok", "encore": "closed", "waiting": 0}
    # A caller who never got the first answer asks again: Encore knows the event.
    assert backend.tell("s1", **told[0]).json()["status"] == "delivered"
    assert encore.stored() == expected
    assert backend.soundtrack("s3")["source"] == "encore"


def test_an_encore_that_never_answers_is_left_alone(encore: Encore, tmp_path: Path) -> None:
    encore.stop()
    silent = socket.create_server(("127.0.0.1", encore.port))  # takes connections, says nothing
    settings = Settings(
        encore=f"127.0.0.1:{encore.port}",
        outbox=tmp_path / "outbox.sqlite3",
        fallback_tracks=("free-1",),
        timeout_s=0.1,
        failures_to_open=3,
        deliver_s=3_600.0,
    )
    with silent, running_backend(settings, encore.clock) as backend:
        for number in range(3):
            assert backend.soundtrack(f"s{number}")["source"] == "fallback"
        assert backend.health()["encore"] == "open"
        assert backend.tell("s1", user="ann", track_id="t1", action="like").status_code == 202
        assert backend.health()["waiting"] == 1


def test_feedback_waits_while_encore_does_not_serve_the_domain(
    encore: Encore, settings: Settings
) -> None:
    elsewhere = replace(settings, domain="films")
    with running_backend(elsewhere, encore.clock) as backend:
        answer = backend.tell("s1", user="ann", track_id="t1", action="like")
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        assert backend.health()["waiting"] == 1
    with running_backend(settings, encore.clock) as backend:
        assert backend.deliver()
    assert encore.stored() == [("ann", "t1", "like")]


def test_many_who_look_at_a_story_at_once_ask_encore_once(backend: Backend) -> None:
    async def look() -> list[dict[str, Any]]:
        path = "/stories/s1/soundtrack?user=ann"
        answers = await asyncio.gather(*(backend.http.get(path) for _ in range(20)))
        return [answer.json() for answer in answers]

    found = in_loop(look())
    assert len({each["recommendation_id"] for each in found}) == 1
    assert {each["source"] for each in found} == {"encore"}


def test_what_waited_is_delivered_by_the_next_process(
    backend: Backend, encore: Encore, settings: Settings
) -> None:
    encore.stop()
    backend.soundtrack("s1")
    backend.tell("s1", user="ann", track_id="t1", action="like")
    assert backend.health()["waiting"] == 1
    encore.start()
    with started(settings) as (_, wait_until):
        wait_until(lambda health: health["waiting"] == 0)
    assert encore.stored() == [("ann", "t1", "like")]


def test_a_clock_that_runs_ahead_of_encore_loses_nothing(backend: Backend, encore: Encore) -> None:
    backend.app.state.backend._wall_clock = lambda: encore.clock() + 86_400.0
    answer = backend.tell("s1", user="ann", track_id="t1", action="like")
    assert answer.json()["status"] == "delivered"
    assert encore.stored() == [("ann", "t1", "like")]


def test_what_encore_refuses_for_good_is_said_and_holds_nothing_up(
    backend: Backend, encore: Encore
) -> None:
    delivery = backend.app.state.backend.delivery
    purchase = FeedbackEvent("ann", "t1", Outcome.PURCHASE, event_id="e1")
    assert in_loop(delivery.accept(purchase)) == "refused"
    assert backend.tell("s1", user="ann", track_id="t1", action="like").status_code == 202
    assert encore.stored() == [("ann", "t1", "like")]
    assert backend.health()["waiting"] == 0


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("/stories/s1/soundtrack", {}, "user"),
        ("/stories/s1/soundtrack", {"user": "ann", "max_seconds": "0"}, "max_seconds"),
        (f"/stories/{'x' * 257}/soundtrack", {"user": "ann"}, "story"),
    ],
)
def test_what_cannot_be_answered_names_the_field(
    backend: Backend, path: str, params: dict[str, str], field: str
) -> None:
    answer = backend.get(path, **params)
    assert answer.status_code == 400
    assert list(answer.json()["problems"]) == [field]


def test_feedback_that_cannot_be_stored_names_the_field(backend: Backend) -> None:
    answer = backend.tell("s1", user="ann", track_id="t1", action="love")
    assert (answer.status_code, list(answer.json()["problems"])) == (400, ["action"])
    huge = backend.tell("s1", user="ann", track_id="t1", action="like", note="x" * 20_000)
    assert (huge.status_code, list(huge.json()["problems"])) == (400, ["body"])


@contextmanager
def started(settings: Settings) -> Iterator[tuple[str, WaitUntil]]:
    """`python -m encore_stories` over the Encore and the outbox of these settings."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "STORIES_ENCORE": settings.encore,
        "STORIES_OUTBOX": str(settings.outbox),
        "STORIES_PORT": url.rsplit(":", 1)[1],
        "STORIES_DELIVER_S": "0.1",
        "STORIES_TIMEOUT_S": "30",
    }
    process = subprocess.Popen([sys.executable, "-m", "encore_stories"], env=environment)

    def wait_until(is_so: Callable[[dict[str, Any]], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            assert process.poll() is None, "the backend has ended"
            with suppress(httpx.TransportError):
                if is_so(httpx.get(f"{url}/health", trust_env=False).json()):
                    return
            time.sleep(0.05)
        raise TimeoutError("the backend never came to say so")

    try:
        wait_until(lambda _: True)
        yield url, wait_until
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def test_a_backend_of_its_own_process_serves_and_stops_when_told(
    encore: Encore, settings: Settings
) -> None:
    with started(settings) as (url, _):
        found = httpx.get(f"{url}/stories/s1/soundtrack?user=ann&tags=rock", trust_env=False)
        assert found.json()["source"] == "encore"
        pick = found.json()["pick"]["track_id"]
        body = json.dumps({"user": "ann", "track_id": pick, "action": "like"})
        told = httpx.post(f"{url}/stories/s1/feedback", content=body, trust_env=False)
        assert told.json()["status"] == "delivered"
    assert encore.stored() == [("ann", pick, "like")]
