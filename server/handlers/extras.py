"""What goes with a page beside its ranking: preview windows for stories, titles and covers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import OverloadedError
from server.deadline import Deadline
from server.executors import BoundedExecutor
from server.handlers.recommend import PageAnswer, PageRequest
from server.media import Media, MediaProvider
from server.ports import ObjectAudio, ObjectAudioStore
from server.previews import PreviewWindow, preview_window
from server.serving import Serving
from server.store.errors import StoreUnavailableError


@dataclass(frozen=True)
class Extras:
    """By object id; empty where not asked for."""

    previews: Mapping[str, PreviewWindow] = field(default_factory=dict)
    media: Mapping[str, Media] = field(default_factory=dict)


NO_EXTRAS = Extras()


class ExtrasHandler:
    """Completes pages. Fails open: a page without extras is better than none."""

    def __init__(
        self,
        serving: Serving,
        scoring: BoundedExecutor,
        database: BoundedExecutor,
        audio: ObjectAudioStore,
        media: MediaProvider,
    ) -> None:
        self._serving = serving
        self._scoring = scoring
        self._database = database
        self._audio = audio
        self._media = media

    async def extras(self, ask: PageRequest, page: PageAnswer, deadline: Deadline) -> Extras:
        """The extras that the request asks for, of the page's items."""
        object_ids = [item.object_id for _, item in page.items]
        if not object_ids:
            return NO_EXTRAS
        previews, media = await asyncio.gather(
            self._previews(ask, object_ids, deadline), self._media_of(ask, object_ids)
        )
        return Extras(previews, media)

    async def _media_of(self, ask: PageRequest, object_ids: list[str]) -> Mapping[str, Media]:
        if not ask.include_media:
            return {}
        return await self._media.media(ask.domain, object_ids)

    async def _previews(
        self, ask: PageRequest, object_ids: list[str], deadline: Deadline
    ) -> Mapping[str, PreviewWindow]:
        story = ask.request.story
        if story is None:
            return {}
        heard = await self._heard(ask.domain, object_ids, deadline)
        # The catalogue is asked only about what nobody has listened to.
        unheard = [i for i in object_ids if i not in heard]
        lengths: dict[str, float] = {}
        if unheard:
            engine = self._serving.engine(ask.domain)
            found = await self._scoring.run("lengths", deadline, lambda: engine.lengths_s(unheard))
            lengths = dict(zip(unheard, found.tolist(), strict=True))
        return {
            i: preview_window(heard.get(i), lengths.get(i, float("nan")), story.max_seconds)
            for i in object_ids
        }

    async def _heard(
        self, domain: str, object_ids: list[str], deadline: Deadline
    ) -> Mapping[str, ObjectAudio]:
        """What was heard of each; a store that has no time or does not work knows of nothing."""
        try:
            found = await self._database.run(
                "object_audio_read", deadline, lambda: self._audio.get(domain, object_ids)
            )
        except (OverloadedError, StoreUnavailableError):
            return {}
        return {i: audio for i, audio in found.items() if audio.preview_length_ms > 0}
