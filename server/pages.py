"""Page tokens: opaque to callers, bound to one queue version, model version, user and request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import struct
from dataclasses import dataclass

from core.errors import FieldViolation, InvalidRequestError
from core.requests import RecommendRequest
from server.ports import QueueKey

FORMAT = struct.Struct(">B16sI16s16s16s8s")
"""Version, queue id, offset, fingerprint, digest of domain and user, anonymous key, digest of the
model version."""
VERSION = 2
MODEL_BYTES = 8
SEAL_BYTES = 16
MAX_TOKEN_BYTES = 256
NOBODY = bytes(16)
"""In place of the anonymous key when the user has an id."""


@dataclass(frozen=True)
class Page:
    """Where a page begins."""

    queue_id: str
    """32 hex digits."""
    offset: int
    """Position in the queue, from 0."""
    key: QueueKey
    model: str
    """Digest of the version of the model that ranked the queue: see `model_digest`."""


def model_digest(model_version: str) -> str:
    """16 hex digits that stand for a model version."""
    return hashlib.blake2b(model_version.encode(), digest_size=MODEL_BYTES).hexdigest()


def fingerprint(request: RecommendRequest) -> str:
    """32 hex digits that are equal only for requests which rank the same way.

    The user id is not part of it: it is part of the queue's key. Nor are the ids of the last queue,
    which are found by it, and the seed, which the server draws anew for every ranking.
    """
    canonical = json.dumps(
        [
            sorted(request.user.attributes.items()),
            sorted(request.context.items()),
            request.size,
            request.pool,
            request.candidate_ids,
            request.exclude_ids,
            request.max_per_facet,
            request.profile,
            request.novelty,
            [(wanted.field, sorted(wanted.values)) for wanted in request.facet_filters],
            request.fall_back,
            request.diversity,
            request.freshness,
            request.exploration,
            None
            if request.story is None
            else [request.story.story_id, request.story.tags, request.story.max_seconds],
        ],
        ensure_ascii=True,
        separators=(",", ":"),
    )
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


class PageTokens:
    """Writes and reads tokens; the seal shows damage, and forgery by anyone without the key."""

    def __init__(self, key: bytes) -> None:
        """`key` is equal on all replicas."""
        self._key = key

    def write(self, page: Page) -> str:
        """The token of a page: URL-safe text of fixed length."""
        kind, _, name = page.key.user_key.partition(":")
        payload = FORMAT.pack(
            VERSION,
            bytes.fromhex(page.queue_id),
            page.offset,
            bytes.fromhex(page.key.fingerprint),
            _owner(page.key.domain, name if kind == "u" else ""),
            NOBODY if kind == "u" else bytes.fromhex(name),
            bytes.fromhex(page.model),
        )
        return base64.urlsafe_b64encode(payload + self._seal(payload)).decode().rstrip("=")

    def read(self, token: str, domain: str, request: RecommendRequest) -> Page:
        """The page that a token names, for the request that carries it.

        Raises:
            InvalidRequestError: the token is damaged, or was made for another domain, user or
                request; the violation names `page_token`.
        """
        payload = self._open(token)
        version, queue_id, offset, made_for, owner, anonymous, model = FORMAT.unpack(payload)
        if version != VERSION:
            raise _refused("was made by another version of the server: ask for a first page")
        if owner != _owner(domain, request.user.id):
            raise _refused("was made for another domain or user: send the token of this one")
        if made_for.hex() != fingerprint(request):
            raise _refused("was made for another request: change only page_size and list_mode")
        return Page(
            queue_id.hex(),
            offset,
            QueueKey(domain, user_key(request.user.id, anonymous.hex()), made_for.hex()),
            model.hex(),
        )

    def _open(self, token: str) -> bytes:
        try:
            padded = token.encode("ascii") + b"=" * (-len(token) % 4)
            raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise _damaged() from error
        payload, seal = raw[:-SEAL_BYTES], raw[-SEAL_BYTES:]
        if len(payload) != FORMAT.size or not hmac.compare_digest(seal, self._seal(payload)):
            raise _damaged()
        # Unused bits of the last character would allow several spellings of one token.
        if base64.urlsafe_b64encode(raw).decode().rstrip("=") != token:
            raise _damaged()
        return payload

    def _seal(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:SEAL_BYTES]


def user_key(user_id: str, anonymous: str) -> str:
    """The user part of a queue's key; `anonymous` is used only when there is no id."""
    return f"u:{user_id}" if user_id else f"a:{anonymous}"


def _owner(domain: str, user_id: str) -> bytes:
    return hashlib.blake2b(f"{domain}\0{user_id}".encode(), digest_size=16).digest()


def _damaged() -> InvalidRequestError:
    return _refused("is not a token of this server: send next_page_token unchanged")


def _refused(why: str) -> InvalidRequestError:
    return InvalidRequestError([FieldViolation("page_token", why)])
