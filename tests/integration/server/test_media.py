"""Titles and covers from a service that fails in every way: no page waits, none fails."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import pytest

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.logs import json_log
from server.media import UNAVAILABLE, HttpMediaProvider, Media
from server.media.http_provider import HttpMediaOptions
from server.testing import QUIET, ManualClock, Parts, in_loop, running_server
from server.testing.harness import LogLines
from server.testing.media_service import (
    Behaviour,
    MediaService,
    always,
    media_of,
    media_service,
    reply,
    well,
)

T = TypeVar("T")
NOTHING = Media(note=UNAVAILABLE)
PATIENT = HttpMediaOptions(budget_s=30.0, timeout_s=10.0)
"""Waits for every answer, so that what is seen does not hang on how fast the machine is."""
QUICK = HttpMediaOptions(budget_s=30.0, timeout_s=0.2)


def known(object_id: str) -> Media:
    return Media(**media_of([object_id])[object_id])


@dataclass
class Desk:
    """A provider, the service that it asks, and its clock."""

    provider: HttpMediaProvider
    service: MediaService
    clock: ManualClock
    log: LogLines

    async def ask(self, *object_ids: str) -> dict[str, Media]:
        return dict(await self.provider.media("music", object_ids))


@asynccontextmanager
async def desk(
    behaviour: Behaviour = well, options: HttpMediaOptions = PATIENT
) -> AsyncIterator[Desk]:
    log, clock = LogLines(), ManualClock(0.0)
    async with media_service(behaviour) as service:
        provider = HttpMediaProvider(service.url, json_log(log), options, clock)
        try:
            yield Desk(provider, service, clock, log)
        finally:
            await provider.close()


def run(work: Coroutine[object, object, T]) -> T:
    return asyncio.run(work)


def test_one_request_asks_about_a_whole_page_and_the_next_page_asks_nothing() -> None:
    async def scene() -> None:
        async with desk() as it:
            assert await it.ask("t1", "t2") == {"t1": known("t1"), "t2": known("t2")}
            assert await it.ask("t2", "t1", "t1") == {"t1": known("t1"), "t2": known("t2")}
            assert it.service.asked == [["t1", "t2"]]
            await it.ask("t1", "t3")
            assert it.service.asked == [["t1", "t2"], ["t3"]]

    run(scene())


def test_what_was_said_is_believed_for_an_hour_and_what_is_unknown_for_a_minute() -> None:
    async def scene() -> None:
        async with desk() as it:
            assert await it.ask("t1", "no1") == {"t1": known("t1"), "no1": NOTHING}
            it.clock.now_s = 59.0
            await it.ask("t1", "no1")
            assert len(it.service.asked) == 1
            it.clock.now_s = 61.0
            await it.ask("t1", "no1")
            assert it.service.asked[1:] == [["no1"]]
            it.clock.now_s = 3_601.0
            assert await it.ask("t1") == {"t1": known("t1")}
            assert it.service.asked[2:] == [["t1"]]

    run(scene())


def test_domains_do_not_share_what_is_known() -> None:
    async def scene() -> None:
        async with desk() as it:
            await it.ask("t1")
            await it.provider.media("films", ["t1"])
            assert len(it.service.asked) == 2

    run(scene())


def test_pages_that_want_the_same_at_once_ask_once() -> None:
    async def scene() -> None:
        async with desk() as it:
            pages = await asyncio.gather(*(it.ask("t1", "t2") for _ in range(20)))
            assert all(page == pages[0] for page in pages)
            assert it.service.asked == [["t1", "t2"]]

    run(scene())


def test_the_cache_is_bounded() -> None:
    async def scene() -> None:
        async with desk(options=HttpMediaOptions(budget_s=30.0, cached_objects=2)) as it:
            await it.ask("t1")
            await it.ask("t2")
            await it.ask("t3")
            await it.ask("t1")
            assert it.service.asked == [["t1"], ["t2"], ["t3"], ["t1"]]

    run(scene())


async def hang(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
    await asyncio.sleep(60)


async def hang_up(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
    writer.close()


async def drip(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
    """A byte now and then: no single read ever times out."""
    answer = reply(json.dumps({"media": media_of(object_ids)}).encode())
    for byte in answer:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def flood(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
    """A body without a length and without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


GOOD = json.dumps({"media": media_of(["t1"])}).encode()
RUDE: dict[str, Behaviour] = {
    "500": always(reply(GOOD, "500 Internal Server Error")),
    "404": always(reply(GOOD, "404 Not Found")),
    "204": always(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "redirect loop": always(reply(b"", "302 Found", "Location: /media")),
    "redirect elsewhere": always(reply(b"", "307 Found", "Location: http://169.254.169.254/")),
    "timeout": hang,
    "slow drip": drip,
    "hangs up": hang_up,
    "no HTTP": always(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "cut short": always(reply(GOOD)[:-10]),
    "length that lies": always(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"),
    "endless header": always(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000_000),
    "endless body": flood,
    "huge body": always(reply(b'{"media": {}}' + b" " * 2_000_000)),
    "packed body": always(reply(gzip.compress(GOOD), "200 OK", "Content-Encoding: gzip")),
    "bomb": always(reply(gzip.compress(b" " * 10_000_000), "200 OK", "Content-Encoding: gzip")),
    "empty body": always(reply(b"")),
    "garbage": always(reply(bytes(range(256)))),
    "html": always(reply(b"<html>Bad gateway</html>")),
    "nested": always(reply(b"[" * 500_000)),
    "list": always(reply(b"[]")),
    "wrong types": always(reply(b'{"media": [1, 2]}')),
}


@pytest.mark.parametrize("behaviour", RUDE.values(), ids=RUDE.keys())
def test_whatever_the_service_does_the_preview_is_unavailable_and_it_is_left_alone_for_a_while(
    behaviour: Behaviour,
) -> None:
    async def scene() -> None:
        async with desk(behaviour, QUICK) as it:
            assert await it.ask("t1") == {"t1": NOTHING}
            (told,) = it.log.lines("media service failed")
            assert told["problem"]
            assert await it.ask("t1", "t2") == {"t1": NOTHING, "t2": NOTHING}
            assert it.service.asked == [["t1"]]
            it.clock.now_s = QUICK.pause_s + 0.1
            it.service.behaviour = well
            assert await it.ask("t1") == {"t1": known("t1")}

    run(scene())


def test_fields_of_wrong_types_are_left_out_one_by_one() -> None:
    said = {"t1": {"title": 7, "cover_url": ["x"], "preview_url": "https://p/1"}, "t2": 3}

    async def scene() -> None:
        async with desk(always(reply(json.dumps({"media": said}).encode()))) as it:
            assert await it.ask("t1", "t2") == {
                "t1": Media(preview_url="https://p/1"),
                "t2": NOTHING,
            }

    run(scene())


def test_a_service_that_is_not_there_is_no_problem() -> None:
    async def scene() -> None:
        log = LogLines()
        async with media_service() as service:
            url = service.url
        provider = HttpMediaProvider(url, json_log(log), PATIENT, ManualClock(0.0))
        assert await provider.media("music", ["t1"]) == {"t1": NOTHING}
        assert "ConnectError" in str(log.lines("media service failed")[0]["problem"])
        await provider.close()

    run(scene())


def test_an_answer_that_comes_after_the_budget_is_there_for_the_next_page() -> None:
    async def scene() -> None:
        answered, may_answer = asyncio.Event(), asyncio.Event()

        async def late(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
            await may_answer.wait()
            await well(writer, object_ids)
            answered.set()

        async with desk(late, HttpMediaOptions(budget_s=0.01, timeout_s=30.0)) as it:
            assert await it.ask("t1") == {"t1": NOTHING}
            may_answer.set()
            await answered.wait()
            found = await it.ask("t1")
            while found["t1"] == NOTHING:
                found = await it.ask("t1")
            assert found == {"t1": known("t1")}
            assert it.service.asked == [["t1"]]

    run(scene())


def test_a_caller_who_leaves_does_not_take_the_answer_away() -> None:
    async def scene() -> None:
        may_answer = asyncio.Event()

        async def late(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
            await may_answer.wait()
            await well(writer, object_ids)

        async with desk(late) as it:
            leaving, staying = (asyncio.create_task(it.ask("t1")) for _ in range(2))
            while not it.service.asked:
                await asyncio.sleep(0)
            leaving.cancel()
            may_answer.set()
            assert await staying == {"t1": known("t1")}

    run(scene())


def test_no_more_requests_than_allowed_run_at_once() -> None:
    async def scene() -> None:
        may_answer = asyncio.Event()

        async def late(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
            await may_answer.wait()
            await well(writer, object_ids)

        options = HttpMediaOptions(budget_s=0.0, timeout_s=30.0, requests_at_once=2)
        async with desk(late, options) as it:
            for n in range(10):
                assert await it.ask(f"t{n}") == {f"t{n}": NOTHING}
            while len(it.service.asked) < 2:
                await asyncio.sleep(0)
            assert it.service.asked == [["t0"], ["t1"]]
            may_answer.set()

    run(scene())


def test_closing_gives_up_what_is_under_way() -> None:
    async def scene() -> None:
        async with desk(hang, HttpMediaOptions(budget_s=0.0, timeout_s=30.0)) as it:
            await it.ask("t1")

    run(scene())


def recommended(media_url: str) -> pb.RecommendResponse:
    settings = QUIET.model_copy(update={"media_url": media_url, "media_budget_s": 30.0})
    with running_server(Parts(settings)) as encore:
        return encore.api.Recommend(
            pb.RecommendRequest(
                domain="music",
                user=common_pb.User(id="ann"),
                page_size=3,
                include_media=True,
            )
        )


@pytest.mark.parametrize("behaviour", [well, RUDE["500"]], ids=["well", "failing"])
def test_a_page_carries_media_when_asked(behaviour: Behaviour) -> None:
    context = media_service(behaviour)
    service = in_loop(context.__aenter__())
    try:
        page = recommended(service.url)
    finally:
        in_loop(context.__aexit__(None, None, None))
    first = page.items[0].media
    assert len(page.items) == 3
    if behaviour is well:
        assert [item.media.title for item in page.items] == [
            f"Title of {item.object_id}" for item in page.items
        ]
        assert first.preview_url == f"https://previews.example/{page.items[0].object_id}.mp3"
        assert not first.note
    else:
        assert (first.title, first.note) == ("", UNAVAILABLE)


def test_without_a_service_nothing_is_known_and_nothing_is_said_unasked() -> None:
    page = recommended("")
    assert {item.media.note for item in page.items} == {UNAVAILABLE}
    with running_server() as encore:
        unasked = encore.api.Recommend(pb.RecommendRequest(domain="music"))
    assert not any(item.HasField("media") for item in unasked.items)
