"""A media service on loopback that does what a test tells it to, however rude."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamWriter, list[str]], Awaitable[None]]
"""Answers one request; told the object ids that it asks about."""


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """One HTTP answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def media_of(object_ids: list[str]) -> Mapping[str, Mapping[str, str]]:
    """What the service says of objects when it is well: nothing of ids that begin with `no`."""
    return {
        i: {
            "title": f"Title of {i}",
            "cover_url": f"https://covers.example/{i}.jpg",
            "preview_url": f"https://previews.example/{i}.mp3",
        }
        for i in object_ids
        if not i.startswith("no")
    }


async def well(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
    """Answer as agreed."""
    writer.write(reply(json.dumps({"media": media_of(object_ids)}).encode()))


def always(answer: bytes) -> Behaviour:
    """Answer the same, whatever is asked."""

    async def write(writer: asyncio.StreamWriter, object_ids: list[str]) -> None:
        del object_ids
        writer.write(answer)

    return write


@dataclass
class MediaService:
    """A running service."""

    url: str = ""
    behaviour: Behaviour = well
    asked: list[list[str]] = field(default_factory=list)
    """The object ids of each request, in order."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            object_ids = json.loads(await reader.readexactly(length))["object_ids"]
            self.asked.append(object_ids)
            await self.behaviour(writer, object_ids)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has left
        finally:
            writer.close()


@asynccontextmanager
async def media_service(behaviour: Behaviour = well) -> AsyncIterator[MediaService]:
    """A service on a port of the system's choice."""
    service = MediaService(behaviour=behaviour)
    server = await asyncio.start_server(service.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    service.url = f"http://{host}:{port}/media"
    try:
        yield service
    finally:
        server.close()
