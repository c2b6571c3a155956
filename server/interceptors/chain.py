"""The one gRPC interceptor: turns every kind of handler into a Call and runs the chain around it.

Decoding and encoding happen inside the chain: bytes that are no message are a caller's error with
a status, a log line and a count like any other, which gRPC's own decoding would not give them.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from typing import TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from grpc import aio

from core.errors import FieldViolation, InvalidRequestError
from server.interceptors.call import Call, Context, Interceptor, Proceed, request_id_of

Req = TypeVar("Req")
Res = TypeVar("Res")
UnaryBehaviour = Callable[[Message, Context], Awaitable[Message]]
StreamBehaviour = Callable[[object, Context], Awaitable[None] | AsyncIterable[Message]]


class CallChain(aio.ServerInterceptor):
    """Runs interceptors around every call, the first one outermost."""

    def __init__(self, interceptors: Sequence[Interceptor], unknown: Callable[[str], None]) -> None:
        """`unknown` is told the name of a method that nobody implements."""
        self._interceptors = tuple(interceptors)
        self._unknown = unknown
        self._wrapped: dict[str, grpc.RpcMethodHandler[object, object]] = {}

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Req, Res] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Req, Res] | None:
        """The handler of the method with the chain around it; None where there is no handler."""
        path = handler_call_details.method
        if path not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:
                self._unknown(path)
                return None
            self._wrapped[path] = self._wrap(
                path, cast("grpc.RpcMethodHandler[object, object]", handler)
            )
        return cast("grpc.RpcMethodHandler[Req, Res]", self._wrapped[path])

    def _wrap(
        self, path: str, handler: grpc.RpcMethodHandler[object, object]
    ) -> grpc.RpcMethodHandler[object, object]:
        service, _, method = path.lstrip("/").partition("/")
        if handler.unary_unary is not None:
            return _handler(
                grpc.unary_unary_rpc_method_handler, self._unary(service, method, handler), None
            )
        kinds = (
            (handler.unary_stream, "server_stream", grpc.unary_stream_rpc_method_handler),
            (handler.stream_stream, "bidi_stream", grpc.stream_stream_rpc_method_handler),
        )
        for behaviour, kind, make in kinds:
            if behaviour is not None:
                stream = self._stream(service, method, kind, cast("StreamBehaviour", behaviour))
                return _handler(make, stream, handler)
        raise TypeError(f"{path}: calls with a stream of requests and one reply are not served")

    def _unary(
        self, service: str, method: str, handler: grpc.RpcMethodHandler[object, object]
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        behaviour = cast("UnaryBehaviour", handler.unary_unary)
        decode = cast("Callable[[bytes], Message]", handler.request_deserializer)
        encode = cast("Callable[[Message], bytes]", handler.response_serializer)

        async def serve(raw: bytes, context: Context) -> bytes:
            call = Call(service, method, "unary", context, request_id_of(context))

            async def answer() -> object:
                try:
                    request = decode(raw)
                except DecodeError as error:
                    raise InvalidRequestError(
                        [FieldViolation("", "the bytes are not a message of this method")]
                    ) from error
                call.adopt(request)
                reply = await behaviour(request, context)
                if "request_id" in reply.DESCRIPTOR.fields_by_name:
                    reply.request_id = call.request_id  # type: ignore[attr-defined]
                return encode(reply)

            return cast(bytes, await self._run(call, answer))

        return serve

    def _stream(
        self, service: str, method: str, kind: str, behaviour: StreamBehaviour
    ) -> Callable[[object, Context], Awaitable[None]]:
        async def serve(request: object, context: Context) -> None:
            call = Call(service, method, kind, context, request_id_of(context))

            async def stream() -> object:
                replies = behaviour(request, context)
                if inspect.isawaitable(replies):
                    await replies
                else:
                    async for reply in replies:
                        await context.write(reply)
                return None

            await self._run(call, stream)

        return serve

    async def _run(self, call: Call, innermost: Proceed) -> object:
        return await _link(self._interceptors, call, innermost)()


def _link(interceptors: Sequence[Interceptor], call: Call, innermost: Proceed) -> Proceed:
    if not interceptors:
        return innermost
    outermost, rest = interceptors[0], _link(interceptors[1:], call, innermost)
    return lambda: outermost(call, rest)


def _handler(
    make: Callable[..., object],
    behaviour: object,
    codecs: grpc.RpcMethodHandler[object, object] | None,
) -> grpc.RpcMethodHandler[object, object]:
    return cast(
        "grpc.RpcMethodHandler[object, object]",
        make(
            behaviour,
            request_deserializer=codecs and codecs.request_deserializer,
            response_serializer=codecs and codecs.response_serializer,
        ),
    )
