"""Reads what a media service answered: whatever is not as agreed counts as not known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from server.checks import CONTROL_CHARACTER
from server.media.provider import UNAVAILABLE, Media

MAX_TITLE = 500
MAX_URL = 2_000
"""Characters; longer ones are left out."""


class MediaAnswerError(Exception):
    """The service answered something that cannot be read; the message says what."""


def read_answer(body: bytes, object_ids: Sequence[str]) -> dict[str, Media]:
    """What a body says of the ids asked; ids that it does not name are left out.

    Args:
        body: `{"media": {object id: {"title": ..., "cover_url": ..., "preview_url": ...}}}`; all
            three may be absent or null.
        object_ids: those asked about; what is said of others is ignored.

    Raises:
        MediaAnswerError: the body as a whole is something else.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:  # lone surrogates, huge numbers, deep nesting
        raise MediaAnswerError(f"no JSON: {type(error).__name__}") from error
    media = said.get("media") if isinstance(said, Mapping) else None
    if not isinstance(media, Mapping):
        raise MediaAnswerError('no object under "media"')
    return {i: _media(media[i]) for i in object_ids if isinstance(media.get(i), Mapping)}


def _media(said: Mapping[str, Any]) -> Media:
    preview_url = _url(said.get("preview_url"))
    return Media(
        title=_text(said.get("title"), MAX_TITLE),
        cover_url=_url(said.get("cover_url")),
        preview_url=preview_url,
        note="" if preview_url else UNAVAILABLE,
    )


def _text(value: object, longest: int) -> str:
    """A text that protobuf can carry and a screen can show, or nothing."""
    if not isinstance(value, str) or len(value) > longest or CONTROL_CHARACTER.search(value):
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return ""
    return value.strip()


def _url(value: object) -> str:
    """An absolute http or https address, or nothing: other schemes could run in a client."""
    text = _text(value, MAX_URL)
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.netloc else ""
