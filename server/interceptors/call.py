"""What every interceptor gets: one object about the call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import quote
from uuid import uuid4

import grpc
from google.protobuf.message import Message
from grpc.aio import ServicerContext

from server.checks import CONTROL_CHARACTER, MAX_REQUEST_ID_BYTES

REQUEST_ID_KEY = "x-request-id"
SAFE_IN_METADATA = "!#$&'()*+,/:;<=>?@[]^{|}"
"""With letters, digits and `_.-~`: what a header carries as it is. gRPC ends a call without a
status when a header holds anything outside ASCII."""
LAST_MOMENT_S = 0.05
"""A call cancelled so shortly before its deadline was cancelled by it: caller and server do not
read the same clock at the same moment."""

Context = ServicerContext[Message, Message]
Proceed = Callable[[], Awaitable[object]]


@dataclass
class Call:
    """One call on its way through the interceptors."""

    service: str
    method: str
    kind: str
    """As Go spells it: unary, client_stream, server_stream or bidi_stream."""
    context: Context
    request_id: str
    """From the metadata or made up; once decoded, the request's own id if it has one."""
    request: Message | None = None
    """The decoded request of a unary call; None before, and in streams."""

    @property
    def domain(self) -> str:
        """The domain asked for, as the caller wrote it; empty where there is none."""
        return str(getattr(self.request, "domain", ""))

    def adopt(self, request: Message) -> None:
        """Take the decoded request; its own id, if sound, is the call's from now on."""
        self.request = request
        own = str(getattr(request, "request_id", ""))
        if _is_sound(own):
            self.request_id = own

    @property
    def trailer(self) -> tuple[str, str]:
        """The request id as metadata, which is printable ASCII: anything else is escaped."""
        return REQUEST_ID_KEY, quote(self.request_id, safe=SAFE_IN_METADATA)

    def code(self, error: BaseException | None) -> grpc.StatusCode:
        """The status under which the call ended, `error` being what left the handler."""
        if isinstance(error, asyncio.CancelledError):
            remaining = self.context.time_remaining()
            late = remaining is not None and remaining <= LAST_MOMENT_S
            return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED
        code = cast("grpc.StatusCode | None", self.context.code())
        if code is not None:
            return code
        return grpc.StatusCode.OK if error is None else grpc.StatusCode.UNKNOWN


class Interceptor(Protocol):
    """Sees every call once; must await `proceed` once and let its errors pass."""

    async def __call__(self, call: Call, proceed: Proceed) -> object:
        """Do something around `proceed`, which is the rest of the chain."""
        ...


def request_id_of(context: Context) -> str:
    """The id in the metadata, or a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and _is_sound(value):
            return value
    return uuid4().hex


def _is_sound(request_id: str) -> bool:
    size = len(request_id.encode())
    return 0 < size <= MAX_REQUEST_ID_BYTES and not re.search(CONTROL_CHARACTER, request_id)
