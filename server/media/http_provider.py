"""A media service over HTTP: one batch a page, a bounded cache, and no patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx
from cachetools import TLRUCache

from server.logs import Log
from server.media.answers import MediaAnswerError, read_answer
from server.media.provider import NOTHING, Media

Key = tuple[str, str]
"""Domain and object id."""


@dataclass(frozen=True)
class HttpMediaOptions:
    """How far a media service is trusted."""

    budget_s: float = 0.15
    """An answer waits for it no longer; what comes later is there for the next one."""
    timeout_s: float = 2.0
    """A request is given up after so long, from first to last byte."""
    keep_s: float = 3_600.0
    """What the service said is believed so long."""
    keep_unknown_s: float = 60.0
    """An object that it does not know is asked about again after so long."""
    pause_s: float = 5.0
    """After a failed request nothing is asked for so long."""
    cached_objects: int = 100_000
    requests_at_once: int = 8
    """Further objects are not asked about until one has ended."""
    max_bytes: int = 1024 * 1024
    """Of an answer's body; longer ones are given up."""


@dataclass(frozen=True)
class _Remembered:
    media: Media
    until_s: float


class HttpMediaProvider:
    """`MediaProvider` that posts `{"domain": ..., "object_ids": [...]}` and reads `read_answer`.

    Used in one event loop. An object is asked about once however many pages want it.
    """

    def __init__(
        self,
        url: str,
        log: Log,
        options: HttpMediaOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connects to nothing yet.

        Args:
            url: where batches are posted.
            log: failures are told here, once for each pause.
            options: see there.
            clock: seconds, never going back.
        """
        self._url = url
        self._log = log
        self._options = options or HttpMediaOptions()
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=self._options.timeout_s,
            # A service that has moved is configured anew; a redirect may lead anywhere.
            follow_redirects=False,
            # Nothing is unpacked, so nothing small becomes large.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=self._options.requests_at_once),
            trust_env=False,
        )
        self._known: TLRUCache[Key, _Remembered] = TLRUCache(
            self._options.cached_objects, ttu=lambda _, kept, __: kept.until_s, timer=clock
        )
        self._asked: dict[Key, asyncio.Task[None]] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._paused_until_s = float("-inf")

    async def media(self, domain: str, object_ids: Sequence[str]) -> Mapping[str, Media]:
        """See `MediaProvider.media`."""
        wanted = [i for i in dict.fromkeys(object_ids) if (domain, i) not in self._known]
        self._ask([i for i in wanted if (domain, i) not in self._asked], domain)
        waited_for = {self._asked[domain, i] for i in wanted if (domain, i) in self._asked}
        if waited_for:
            # Requests go on when the budget or the caller is gone: the next page wants them too.
            await asyncio.wait(waited_for, timeout=self._options.budget_s)
        found = {}
        for object_id in object_ids:
            kept = self._known.get((domain, object_id))
            found[object_id] = NOTHING if kept is None else kept.media
        return found

    async def close(self) -> None:
        """Give up requests under way and close connections."""
        for request in self._requests:
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)
        await self._client.aclose()

    def _ask(self, object_ids: Sequence[str], domain: str) -> None:
        """Begin a request for ids that nobody has asked about, if one may be made now."""
        full = len(self._requests) >= self._options.requests_at_once
        if not object_ids or full or self._clock() < self._paused_until_s:
            return
        request = asyncio.create_task(self._fetch(domain, object_ids), name="media request")
        self._requests.add(request)
        keys = [(domain, i) for i in object_ids]
        self._asked.update(dict.fromkeys(keys, request))

        def ended(_: object) -> None:
            self._requests.discard(request)
            for key in keys:
                self._asked.pop(key, None)

        request.add_done_callback(ended)

    async def _fetch(self, domain: str, object_ids: Sequence[str]) -> None:
        """Ask, and remember what was said; after a failure, pause."""
        try:
            async with asyncio.timeout(self._options.timeout_s):
                body = await self._post({"domain": domain, "object_ids": list(object_ids)})
            found = read_answer(body, object_ids)
        except Exception as error:  # whatever it was, titles are not worth a page
            self._failed(f"{type(error).__name__}: {error}")
            return
        now_s = self._clock()
        for object_id in object_ids:
            known = object_id in found
            keep_s = self._options.keep_s if known else self._options.keep_unknown_s
            self._known[domain, object_id] = _Remembered(
                found.get(object_id, NOTHING), now_s + keep_s
            )

    async def _post(self, question: Mapping[str, object]) -> bytes:
        """The body of the answer, no longer than allowed.

        Raises:
            httpx.HTTPError: no answer.
            MediaAnswerError: another status than 200, a packed body, or one that is too long.
        """
        async with self._client.stream("POST", self._url, json=question) as answer:
            if answer.status_code != httpx.codes.OK:
                raise MediaAnswerError(f"status {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise MediaAnswerError("a packed body: answer without Content-Encoding")
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > self._options.max_bytes:
                    raise MediaAnswerError(f"more than {self._options.max_bytes} bytes")
            return bytes(body)

    def _failed(self, problem: str) -> None:
        self._paused_until_s = self._clock() + self._options.pause_s
        self._log.warning("media service failed", url=self._url, problem=problem)
